package proof

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/fault"
	"github.com/sallyport-sftp/sallyport/internal/valid"
)

// Journal is one signed entry of a journal: what was taken back in a stretch of the audit log. A journal is a file
// outside the machine to which entries are appended. Whoever restores an older backup learns from it what must not come
// back.
type Journal struct {
	From, To int64 // the rows of the log that it is about: [From, To)
	At       time.Time
	Rows     []JournalRow
}

// JournalRow is a row of the audit log that takes something back.
type JournalRow struct {
	ID      string            `json:"id"`
	Seq     int64             `json:"seq,omitempty"` // its number in the log
	At      time.Time         `json:"at"`
	Action  string            `json:"action"`
	Subject string            `json:"subject,omitempty"`
	User    string            `json:"user,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

const journalOrigin = "sallyport journal of "

// Limits on an entry and a line, in bytes. A signed note has at most 1,000,000.
const (
	MaxJournal     = 512 << 10
	maxJournalLine = 128 << 10
	maxEntry       = 1 << 20
)

// SignJournal makes a signed entry: origin, the two numbers, the time, and a line of JSON for each row.
func (k *Key) SignJournal(j Journal) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n%d %d\n%s\n", journalOrigin, k.Name(), j.From, j.To, j.At.UTC().Format(time.RFC3339))
	for _, r := range j.Rows {
		line, err := r.Line()
		if err != nil {
			return "", err
		}
		b.WriteString(line)
	}
	if b.Len() > maxEntry {
		return "", fault.E("proof.SignJournal", fault.TooLarge, "An entry of %d bytes could not be read back.", b.Len())
	}
	return k.sign(b.String())
}

// Line returns the row as an entry has it, with the line's end. A row that could not be read back has only what a
// restore needs of it.
func (r JournalRow) Line() (string, error) {
	var b strings.Builder
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(r); err != nil {
		return "", fault.Wrap("proof.Line", fault.Internal, err)
	}
	if b.Len() < maxJournalLine {
		return b.String(), nil
	}
	short := r
	short.Subject, short.Detail = "", map[string]string{}
	for _, name := range []string{"version", "fingerprint", "contact", "allow_ips", "id", "prefix"} {
		if v, ok := r.Detail[name]; ok && len(v) < maxJournalLine/16 {
			short.Detail[name] = v
		}
	}
	if len(r.Subject) < maxJournalLine/16 {
		short.Subject = r.Subject
	}
	b.Reset()
	err := to.Encode(short)
	return b.String(), fault.Wrap("proof.Line", fault.Internal, err)
}

// OpenJournal verifies a signed entry and reads it.
func OpenJournal(signed, public string) (j Journal, err error) {
	text, err := open(signed, public)
	if err != nil {
		return j, err
	}
	bad := fault.E("proof.OpenJournal", fault.Invalid, "The signature is good, but this is no entry of a journal.")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[0], journalOrigin) {
		return j, bad
	}
	from, to, ok := strings.Cut(lines[1], " ")
	var errs [3]error
	j.From, errs[0] = strconv.ParseInt(from, 10, 64)
	j.To, errs[1] = strconv.ParseInt(to, 10, 64)
	j.At, errs[2] = time.Parse(time.RFC3339, lines[2])
	if !ok || errors.Join(errs[:]...) != nil || j.From < 0 || j.To < j.From {
		return j, bad
	}
	for _, l := range lines[3:] {
		var r JournalRow
		if json.Unmarshal([]byte(l), &r) != nil {
			return j, bad
		}
		j.Rows = append(j.Rows, r)
	}
	return j, nil
}

// ReadJournal reads a journal, and calls fn for every entry with a good signature, in its order. faults names what is
// damaged: an entry that was cut short or changed is skipped, and so are the rows that it had.
func ReadJournal(r io.Reader, public string, fn func(Journal) error) (faults []string, err error) {
	in := bufio.NewReaderSize(r, maxJournalLine)
	var entry strings.Builder
	begun := 0 // the line where the entry began
	damaged := func(format string, args ...any) {
		if len(faults) < 100 {
			faults = append(faults, fmt.Sprintf("line %d: ", begun)+fmt.Sprintf(format, args...))
		}
		entry.Reset()
	}
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		line = strings.TrimSuffix(line, "\r\n")
		if !strings.HasSuffix(line, "\n") && err == nil {
			line += "\n"
		}
		if err != nil && err != io.EOF { //nolint:errorlint // the reader returns it as it is
			return faults, fault.E("proof.ReadJournal", fault.Unavailable, "The journal cannot be read: %v.", fault.InWords(err))
		}
		switch {
		case strings.HasPrefix(line, journalOrigin):
			if entry.Len() > 0 {
				damaged("the entry was cut short")
			}
			begun = n
			entry.WriteString(line)
		case entry.Len() > 0:
			entry.WriteString(line)
		case strings.TrimSpace(line) != "":
			begun = n
			damaged("it belongs to no entry: %q", valid.Printable(line[:min(len(line), 40)]))
		}
		if entry.Len() > maxEntry {
			damaged("the entry is too long")
		}
		if strings.HasPrefix(line, "— ") && entry.Len() > 0 && strings.HasSuffix(line, "\n") {
			j, bad := OpenJournal(entry.String(), public)
			if bad != nil {
				damaged("%s", fault.PublicText(bad))
			} else if err := fn(j); err != nil {
				return faults, err
			}
			entry.Reset()
		}
		if err != nil {
			if entry.Len() > 0 {
				damaged("the entry was cut short")
			}
			return faults, nil
		}
	}
}
