package main

import (
	"fmt"
	"slices"
	"time"
)

// sizes say how much work the rows do.
type sizes struct {
	big      int64         // bytes of the large file
	share    int64         // bytes of each session's file when many run at once
	sessions int           // at once
	files    int           // small files
	many     int           // files in the large directory
	idle     int           // idle sessions
	users    int           // in the database
	logins   time.Duration // how long users keep logging in
	farBig   int64         // bytes of the large file of clients that are far away
	farFiles int           // their small files
}

func sizesFor(quick bool) sizes {
	if quick {
		return sizes{big: 32 << 20, share: 4 << 20, sessions: 16, files: 200, many: 5000, idle: 20, users: 2000,
			logins: time.Second, farBig: 4 << 20, farFiles: 5}
	}
	return sizes{big: 1 << 30, share: 128 << 20, sessions: 16, files: 2000, many: 100_000, idle: 500, users: 100_000,
		logins: 4 * time.Second, farBig: 256 << 20, farFiles: 500}
}

// gcm is a cipher that both servers and the client compute in hardware.
const gcm = "aes128-gcm@openssh.com"

// loginsAtOnce is how many users log in at a time.
const loginsAtOnce = 8

// rows returns everything that is measured, with the bars.
func rows(z sizes) []row {
	return slices.Concat(transferRows(z), smallRows(z), crowdRows(z))
}

// crowdRows compare Sallyport with itself: many users and records must not slow it down.
func crowdRows(z sizes) []row {
	return []row{
		{name: fmt.Sprintf("log-ins with %d users and 100 keys of the user's, beside one of each", z.users),
			mine: crowded(z.users), rival: alone, run: manyLogins(z.logins, loginsAtOnce),
			bars: []bar{{measure: cpuPerLogin, limit: 1.10}}},
		{name: "connection records, of a log-in's CPU", mine: crowded(1), rival: alone, run: recordShare(z.logins),
			bars: []bar{{measure: recordPart, limit: 0.05, alone: true}}},
	}
}

func transferRows(z sizes) []row {
	big, share := bytesText(z.big), bytesText(z.share)
	get := func(string, int) string { return "get upload/big /dev/null" }
	put := func(source string, i int) string { return fmt.Sprintf("put %s upload/new-%d", source, i) }
	parallelBar := []bar{{measure: cpuPerGiB, limit: 0.60}}
	return []row{
		{name: big + " download, aes128-gcm", prepare: uploaded(z.big), run: download(z.big, gcm),
			bars: []bar{{measure: cpuPerGiB, limit: 0.80}}},
		{name: big + " download, the client's own ciphers", prepare: uploaded(z.big), run: download(z.big, ""),
			bars: []bar{{measure: rate, limit: 1.8, atLeast: true}, {measure: cpuPerGiB, limit: 0.55}}},
		{name: big + " upload with fsync, aes128-gcm", fresh: true, run: upload(z.big, gcm),
			bars: []bar{{measure: cpuPerGiB, limit: 1.05}}},
		{name: fmt.Sprintf("%d sessions get %s each", z.sessions, share), prepare: uploaded(z.share),
			run: parallel(z.sessions, z.share, get), bars: parallelBar},
		{name: fmt.Sprintf("%d sessions put %s each", z.sessions, share), fresh: true,
			run: parallel(z.sessions, z.share, put), bars: parallelBar},
	}
}

func smallRows(z sizes) []row {
	return []row{
		{name: fmt.Sprintf("log-ins, %d at once", loginsAtOnce), run: manyLogins(z.logins, loginsAtOnce),
			bars: []bar{{measure: loginsPerSecond, limit: 8, atLeast: true}, {measure: cpuPerLogin, limit: 0.10}}},
		{name: fmt.Sprintf("put %d × 4 KiB with fsync, one after another, on disk", z.files), disk: true,
			run: manyPuts(z.files, 4<<10, 1, both), bars: []bar{{measure: filesPerSecond, limit: 0.9, atLeast: true}}},
		{name: fmt.Sprintf("put %d × 4 KiB, durable (OpenSSH: with fsync), one after another, on disk", z.files), disk: true,
			run: manyPuts(z.files, 4<<10, 1, theirsAlone), bars: []bar{{measure: filesPerSecond, limit: 1, atLeast: true}}},
		{name: fmt.Sprintf("put %d × 4 KiB, durable, 64 in flight, on disk", z.files), disk: true,
			run: manyPuts(z.files, 4<<10, 64, theirsAlone), bars: []bar{{measure: filesPerSecond, limit: 1.5, atLeast: true},
				{measure: cpuPerFile, limit: 460, alone: true}}},
		{name: fmt.Sprintf("put %d × 32 KiB, durable, 64 in flight, on disk", z.files), disk: true,
			run: manyPuts(z.files, 32<<10, 64, theirsAlone), bars: []bar{{measure: filesPerSecond, limit: 1.2, atLeast: true}}},
		{name: fmt.Sprintf("get %d × 4 KiB, one after another", z.files), prepare: filled(z.files),
			run: manyGets(z.files, 1), bars: []bar{{measure: filesPerSecond, limit: 1.5, atLeast: true}}},
		{name: fmt.Sprintf("get %d × 4 KiB, 64 in flight", z.files), prepare: filled(z.files),
			run: manyGets(z.files, 64), bars: []bar{{measure: filesPerSecond, limit: 1, atLeast: true}}},
		{name: fmt.Sprintf("sftp -b: mget of %d × 4 KiB", z.files/2), prepare: filled(z.files / 2),
			run: batch(z.files/2, mget), bars: []bar{{measure: cpuPerFile, limit: 1}}},
		{name: fmt.Sprintf("sftp -b: mput of %d × 4 KiB", z.files/2), run: batch(z.files/2, mput),
			bars: []bar{{measure: cpuPerFile, limit: 2.5}}},
		{name: fmt.Sprintf("rclone copy of %d × 4 KiB up", z.files/2), run: batch(z.files/2, rclone),
			bars: []bar{{measure: cpuPerFile, limit: 1.2}}},
		{name: fmt.Sprintf("list %d files", z.many), prepare: filled(z.many), run: listing(z.many),
			bars: []bar{{measure: listingCPU, limit: 0.4}, {measure: listingGrowth, limit: 32, alone: true}}},
		{name: fmt.Sprintf("%d idle sessions", z.idle), fresh: true, run: idle(z.idle),
			bars: []bar{{measure: idleKiB, limit: 0.05}, {measure: idleKiB, limit: 75, alone: true}}},
	}
}

// bytesText formats a size in GiB if that is a whole number, else in MiB.
func bytesText(n int64) string {
	if n%gib == 0 {
		return fmt.Sprintf("%d GiB", n/gib)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
