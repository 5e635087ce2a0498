package service

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/testkit"
)

// The package is installed, upgraded, removed and purged on a Debian: this machine's, with everything
// that is written
// kept apart (an overlay in a mount namespace of its own). What the administrator changed and what
// partners sent stays.
func TestDebianPackage(t *testing.T) {
	testkit.Needs(t, "dpkg-deb", "unshare", "lintian", "adduser")
	if os.Getuid() != 0 {
		t.Skip("left out, since only root installs packages")
	}
	out := t.TempDir()
	repository, err := filepath.Abs("../..")
	testkit.Must(t, err)
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = repository
		b, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, b)
		}
		return string(b)
	}
	program := filepath.Join(out, "sallyport")
	run("scripts/build", "linux", "amd64", program)
	if lib := run("file", "--brief", program); !strings.Contains(lib, "statically linked") {
		t.Errorf("the program is %s", lib)
	}
	older := pack(t, repository, "v0.0.1", program, out)
	newer := pack(t, repository, "v0.0.2", program, out)
	again := pack(t, repository, "v0.0.2", program, filepath.Join(out, "again"))
	if !bytes.Equal(testkit.MustRead(t, newer), testkit.MustRead(t, again)) {
		t.Error("the same package, made twice, differs")
	}
	if found := run("lintian", "--allow-root", "--fail-on", "error", newer); strings.Contains(found, "E: ") {
		t.Errorf("lintian:\n%s", found)
	}
	story := `set -eu
mount -t tmpfs none "$1" && mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mkdir -p "$1/root/run/debs" && cp "$2" "$1/root/run/debs/older.deb" && cp "$3" "$1/root/run/debs/newer.deb"
mount -t proc proc "$1/root/proc"
mount --bind /dev "$1/root/dev"
exec chroot "$1/root" sh -eux -c "$4"`
	inside := `
say() { echo "!! $1"; exit 1; }
dpkg -i /run/debs/older.deb
id sallyport
[ "$(stat -c %U:%G:%a /etc/sallyport/sallyport.yaml)" = root:sallyport:640 ] || say "who may read the configuration"
[ "$(stat -c %U:%a /var/lib/sallyport)" = sallyport:700 ] || say "whose the data folder is"
sallyport config check --config /etc/sallyport/sallyport.yaml
zcat /usr/share/man/man1/sallyport-key.1.gz | grep -q sallyport
bash -n /usr/share/bash-completion/completions/sallyport
systemd-analyze verify --man=no /lib/systemd/system/sallyport.service /lib/systemd/system/sallyport.socket
echo '# mine' >> /etc/sallyport/sallyport.yaml
echo invoice > /var/lib/sallyport/kept
dpkg -i --force-confold /run/debs/newer.deb
grep -q '^# mine' /etc/sallyport/sallyport.yaml || say "the configuration was lost in an upgrade"
dpkg -r sallyport
[ -e /etc/sallyport/sallyport.yaml ] || say "removing took the configuration"
[ ! -e /usr/bin/sallyport ] || say "the program stayed"
dpkg -i /run/debs/newer.deb
dpkg -P sallyport
[ ! -e /etc/sallyport ] || say "the configuration stayed after a purge"
[ "$(cat /var/lib/sallyport/kept)" = invoice ] || say "a purge took the partners' files"
id sallyport || say "the files have no owner any more"
rm /var/lib/sallyport/kept
dpkg -i /run/debs/newer.deb
dpkg -P sallyport
[ ! -e /var/lib/sallyport ] || say "an empty data folder stayed"
! id sallyport || say "the user stayed though it owns nothing"
echo done with the package`
	if got := run("unshare", "--mount", "sh", "-c", story, "sh", t.TempDir(), older, newer,
		inside); !strings.Contains(got,
		"done with the package") {
		t.Errorf("%s", got)
	}
}

// pack makes a package of a version in a folder, and returns its path.
func pack(t *testing.T, repository, version, program, folder string) string {
	t.Helper()
	c := exec.Command("scripts/deb", "amd64", program, folder)
	c.Dir = repository
	c.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH=1700000000")
	b, err := c.Output()
	testkit.Must(t, err)
	return strings.TrimSpace(string(b))
}

// The units are what systemd can read, and confine the server.
func TestUnits(t *testing.T) {
	testkit.Needs(t, "systemd-analyze")
	dir := t.TempDir()
	for _, unit := range []string{"sallyport.service", "sallyport.socket", "sallyport-web.socket"} {
		text := bytes.ReplaceAll(testkit.MustRead(t, "../../packaging/systemd/"+unit), []byte("/usr/bin/sallyport"),
			[]byte("/bin/true"))
		testkit.Must(t, os.WriteFile(filepath.Join(dir, unit), text, 0o600))
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", filepath.Join(dir, "sallyport.service"),
		filepath.Join(dir, "sallyport.socket"), filepath.Join(dir,
			"sallyport-web.socket")).CombinedOutput(); err != nil ||
		len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	// 0 is confined wholly, 10 not at all; a unit that says nothing has 9.6.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=20",
		filepath.Join(dir, "sallyport.service")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The image holds the program and two folders, and is the same each time.
func TestImage(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	testkit.Must(t, os.WriteFile(program, []byte("a program"), 0o700))
	var made [2][]byte
	for i := range made {
		file := filepath.Join(dir, "image.tar")
		c := exec.Command("../../scripts/image", "amd64", program, file)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		made[i] = testkit.MustRead(t, file)
	}
	if !bytes.Equal(made[0], made[1]) {
		t.Error("the same image, made twice, differs")
	}
	out, err := exec.Command("sh", "-c", `cd "$1" && tar -xf image.tar && for b in blobs/sha256/*; do
		[ "$(sha256sum <$b | cut -d' ' -f1)" = "$(basename $b)" ]; tar -tvzf $b 2>/dev/null; done; cat index.json`, "sh",
		dir).CombinedOutput()
	for _, want := range []string{"sallyport", "data/", "65532/65532", "application/vnd.oci.image.index.v1+json"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %s (%v):\n%s", want, err, out)
		}
	}
}
