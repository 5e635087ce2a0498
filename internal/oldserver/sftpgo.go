package oldserver

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/internal/fault"
)

// SFTPGo says where a dump of SFTPGo is, and its files.
type SFTPGo struct {
	Dump  string
	Files string // where a copied system begins; "": /
	Only  []string
	Names Names
}

// maxDump is the largest dump, in bytes.
const maxDump = 256 << 20

// The parts of a dump that are read.
type (
	goDump struct {
		Users   []goUser   `json:"users"`
		Groups  []goGroup  `json:"groups"`
		Folders []goFolder `json:"folders"`
		Version int        `json:"version"`
	}
	goUser struct {
		Status         int                 `json:"status"`
		Username       string              `json:"username"`
		ExpirationDate int64               `json:"expiration_date"` // ms since 1970
		Password       string              `json:"password"`
		PublicKeys     []string            `json:"public_keys"`
		HomeDir        string              `json:"home_dir"`
		UID            int                 `json:"uid"`
		MaxSessions    int                 `json:"max_sessions"`
		QuotaSize      int64               `json:"quota_size"`
		QuotaFiles     int64               `json:"quota_files"`
		Permissions    map[string][]string `json:"permissions"`
		Upload         int64               `json:"upload_bandwidth"`
		Download       int64               `json:"download_bandwidth"`
		UploadData     int64               `json:"upload_data_transfer"`
		DownloadData   int64               `json:"download_data_transfer"`
		TotalData      int64               `json:"total_data_transfer"`
		Filters        goFilters           `json:"filters"`
		Folders        []goFolder          `json:"virtual_folders"`
		System         goSystem            `json:"filesystem"`
		Groups         []goMember          `json:"groups"`
	}
	goFilters struct {
		AllowedIP     []string          `json:"allowed_ip"`
		DeniedIP      []string          `json:"denied_ip"`
		DeniedMethods []string          `json:"denied_login_methods"`
		DeniedProto   []string          `json:"denied_protocols"`
		Patterns      []json.RawMessage `json:"file_patterns"`
		Extensions    []json.RawMessage `json:"file_extensions"`
		AccessTime    []json.RawMessage `json:"access_time"`
		MaxUpload     int64             `json:"max_upload_file_size"`
		StartDir      string            `json:"start_directory"`
		TwoFactor     []string          `json:"two_factor_protocols"`
	}
	goFolder struct {
		Name    string   `json:"name"`
		Mapped  string   `json:"mapped_path"`
		Virtual string   `json:"virtual_path"`
		System  goSystem `json:"filesystem"`
	}
	goSystem struct {
		Provider int `json:"provider"`
	}
	goMember struct {
		Name string `json:"name"`
		Type int    `json:"type"` // 1 primary, 2 secondary, 3 membership alone
	}
	goGroup struct {
		Name     string     `json:"name"`
		Settings goSettings `json:"user_settings"`
		Folders  []goFolder `json:"virtual_folders"`
	}
	goSettings struct {
		HomeDir     string              `json:"home_dir"`
		QuotaSize   int64               `json:"quota_size"`
		QuotaFiles  int64               `json:"quota_files"`
		MaxSessions int                 `json:"max_sessions"`
		Permissions map[string][]string `json:"permissions"`
		Filters     goFilters           `json:"filters"`
		System      goSystem            `json:"filesystem"`
	}
)

// Read makes the plan.
func (o *SFTPGo) Read() (*Plan, error) {
	const op = "oldserver.SFTPGo"
	info, err := os.Stat(o.Dump)
	if err == nil && info.Size() > maxDump {
		return nil, fault.E(op, fault.Invalid, "The dump is larger than %d MiB.", maxDump>>20)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(o.Dump)
	}
	if err != nil {
		return nil, fault.E(op, fault.NotFound, "The dump cannot be read: %v.", fault.InWords(err))
	}
	p, err := o.parse(text)
	if err == nil {
		p.apply(o.Names)
	}
	return p, err
}

// parse reads a dump.
func (o *SFTPGo) parse(text []byte) (*Plan, error) {
	var d goDump
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fault.E("oldserver.SFTPGo", fault.Invalid, "The file is not a dump of SFTPGo: %v.", err).
			WithHint("write one with its dumpdata")
	}
	p := &Plan{}
	if d.Version == 0 || len(d.Users) == 0 {
		p.add(o.Dump, "", "The file has no users, or no version: it may not be a dump.", "write one with SFTPGo's dumpdata")
	}
	if n := len(p.List); n == 0 && (d.Version < 8 || d.Version > 17) {
		p.note(o.Dump, "", fmt.Sprintf("The dump has version %d. Versions 8 to 17 are known; look at the result with care.",
			d.Version))
	}
	for _, u := range d.Users {
		if len(o.Only) == 0 || slices.Contains(o.Only, u.Username) {
			p.Users = append(p.Users, o.user(&d, u, p))
		}
	}
	return p, nil
}

func (o *SFTPGo) on(p string) string { return filepath.Join(cmp.Or(o.Files, "/"), p) }

// user reads one user, with what its groups add.
func (o *SFTPGo) user(d *goDump, u goUser, p *Plan) User {
	where := o.Dump + ": " + u.Username
	o.groups(d, &u, where, p)
	out := User{Old: u.Username, Disabled: u.Status == 0, QuotaBytes: max(0, u.QuotaSize), QuotaFiles: max(0,
		u.QuotaFiles),
		May: May{UID: -1, Rights: map[string]exchange.Rights{}}, StartDir: path.Clean("/" + u.Filters.StartDir)}
	if u.ExpirationDate > 0 {
		t := time.UnixMilli(u.ExpirationDate)
		out.Expires = &t
	}
	if u.System.Provider != 0 {
		p.add(where, u.Username, "Its files are not on a local disk.",
			"copy them to a folder first, and change home_dir in the dump")
	} else if u.HomeDir == "" {
		p.add(where, u.Username, "It has no home_dir.", "add it to the dump")
	} else {
		out.Folder = o.on(u.HomeDir)
	}
	o.keysOf(u, &out, where, p)
	o.rightsOf(u, &out, where, p)
	o.filters(u, &out, where, p)
	o.mounts(d, u, &out, where, p)
	for what, n := range map[string]int64{"bandwidth": u.Upload + u.Download, "data transfer": u.UploadData +
		u.DownloadData +
		u.TotalData} {
		if n > 0 {
			p.note(where, u.Username, "Its limit on "+what+" has no counterpart here.")
		}
	}
	if u.MaxSessions > 0 {
		p.note(where, u.Username, fmt.Sprintf("It may have %d sessions; here all have limits.sessions_per_user.",
			u.MaxSessions))
	}
	return out
}

// groups adds what the primary group says where the user says nothing. Secondary groups add folders and permissions.
func (o *SFTPGo) groups(d *goDump, u *goUser, where string, p *Plan) {
	for _, m := range u.Groups {
		i := slices.IndexFunc(d.Groups, func(g goGroup) bool { return g.Name == m.Name })
		if m.Type == 3 {
			continue
		}
		if i < 0 {
			p.add(where, u.Username, "Its group "+m.Name+" is not in the dump.",
				"dump everything, or take the user out of the group")
			continue
		}
		g := d.Groups[i].Settings
		named := strings.NewReplacer("%username%", u.Username)
		if m.Type == 1 {
			u.HomeDir = cmp.Or(named.Replace(g.HomeDir), u.HomeDir)
			u.QuotaSize, u.QuotaFiles = cmp.Or(u.QuotaSize, g.QuotaSize), cmp.Or(u.QuotaFiles, g.QuotaFiles)
			u.MaxSessions = cmp.Or(u.MaxSessions, g.MaxSessions)
			u.Filters.MaxUpload = cmp.Or(u.Filters.MaxUpload, g.Filters.MaxUpload)
			u.Filters.StartDir = cmp.Or(u.Filters.StartDir, g.Filters.StartDir)
			u.System.Provider = cmp.Or(u.System.Provider, g.System.Provider)
		}
		u.Filters.AllowedIP = append(u.Filters.AllowedIP, g.Filters.AllowedIP...)
		u.Filters.DeniedIP = append(u.Filters.DeniedIP, g.Filters.DeniedIP...)
		u.Filters.DeniedProto = append(u.Filters.DeniedProto, g.Filters.DeniedProto...)
		u.Filters.DeniedMethods = append(u.Filters.DeniedMethods, g.Filters.DeniedMethods...)
		u.Filters.Patterns = append(u.Filters.Patterns, g.Filters.Patterns...)
		if u.Permissions == nil {
			u.Permissions = map[string][]string{}
		}
		for at, words := range g.Permissions {
			at = named.Replace(at)
			if _, own := u.Permissions[at]; !own || at == "/" && m.Type == 1 && len(u.Permissions[at]) == 0 {
				u.Permissions[at] = words
			}
		}
		for _, f := range d.Groups[i].Folders {
			f.Virtual, f.Mapped = named.Replace(f.Virtual), named.Replace(f.Mapped)
			if !slices.ContainsFunc(u.Folders, func(have goFolder) bool { return have.Virtual == f.Virtual }) {
				u.Folders = append(u.Folders, f)
			}
		}
	}
}

func (o *SFTPGo) keysOf(u goUser, out *User, where string, p *Plan) {
	for i, line := range u.PublicKeys {
		at := File{where + " public_keys", line}
		k := readKeys(File{at.Name + "[" + strconv.Itoa(i) + "]", line}, u.Username, &p.Findings)
		if len(k.from) > 0 || k.start != "" || k.readOnly {
			p.add(at.Name, u.Username, "The key has options; SFTPGo does not look at them.", "remove them from the dump")
		}
		out.Keys = append(out.Keys, k.keys...)
	}
	if u.Password != "" {
		p.note(where, u.Username, "It has a password; it needs a key, since passwords are not taken here.")
	} else if len(out.Keys) == 0 {
		p.note(where, u.Username, "It has no key that can be taken over; it needs one before it can log in here.")
	}
}

// goRights are SFTPGo's permissions. What has no counterpart, because it has no meaning here, is no right.
var goRights = map[string]exchange.Rights{"*": exchange.AllRights, "list": exchange.List, "download": exchange.Read,
	"upload": exchange.Write, "overwrite": 0, "delete": exchange.Delete, "delete_files": exchange.Delete,
	"delete_dirs": exchange.Delete, "rename": exchange.Rename, "rename_files": exchange.Rename,
	"rename_dirs": exchange.Rename,
	"create_dirs": exchange.Mkdir, "create_symlinks": 0, "chmod": 0, "chown": 0, "chtimes": 0, "copy": 0}

// halves are permissions of which this server has only both halves together.
var halves = map[string]string{"delete_files": "delete_dirs", "delete_dirs": "delete_files",
	"rename_files": "rename_dirs",
	"rename_dirs":  "rename_files"}

func (o *SFTPGo) rightsOf(u goUser, out *User, where string, p *Plan) {
	for _, at := range slices.Sorted(maps.Keys(u.Permissions)) {
		words := u.Permissions[at]
		if strings.ContainsAny(at, "*?[") || !path.IsAbs(at) {
			p.add(where, u.Username, "The permissions of "+at+" are for a pattern.", "name the directories in the dump")
			continue
		}
		var r exchange.Rights
		for _, word := range words {
			right, known := goRights[word]
			if !known {
				p.add(where, u.Username, "The permission "+word+" on "+at+" is not understood.",
					"remove it from the dump if it is not needed")
			}
			if half := halves[word]; half != "" && !slices.Contains(words, half) {
				p.add(where, u.Username, "The permission "+word+" on "+at+" is for files or directories alone.",
					"here it is for both: add the other half to the dump, or take it out")
			}
			r |= right
		}
		if r&exchange.Write != 0 && !slices.Contains(words, "overwrite") && !slices.Contains(words, "*") {
			p.note(where, u.Username, "On "+at+" it may not overwrite; who may write here may also replace files.")
		}
		out.May.Rights[path.Clean(at)] = r
	}
	if _, root := out.May.Rights["/"]; !root {
		p.add(where, u.Username, "It has no permissions for /.", "add them to the dump")
	}
}

func (o *SFTPGo) filters(u goUser, out *User, where string, p *Plan) {
	f := u.Filters
	if len(f.AllowedIP) > 0 {
		out.AllowIPs = readFrom(where+" allowed_ip", u.Username, strings.Join(f.AllowedIP, ","), &p.Findings)
	}
	if len(f.DeniedIP) > 0 {
		p.add(where, u.Username, "denied_ip refuses addresses; here a user has a list of networks that it may log in from.",
			"write such a list as allowed_ip, and empty denied_ip")
	}
	for _, m := range f.DeniedMethods {
		if m == "publickey" {
			p.add(where, u.Username, "It may not log in with a key, which is the only way here.",
				"take publickey out of denied_login_methods")
		}
	}
	if slices.Contains(f.DeniedProto, "SSH") {
		p.note(where, u.Username, "It may not use SFTP there; the user is disabled here.")
		out.Disabled = true
	}
	if len(f.Patterns)+len(f.Extensions) > 0 {
		p.add(where, u.Username, "It has rules for names of files (file_patterns), which have no counterpart here.",
			"see whether expectations or content checks of the server do; then empty them in the dump")
	}
	if len(f.AccessTime) > 0 {
		p.add(where, u.Username, "It may log in at some times alone, which has no counterpart here.",
			"empty access_time in the dump")
	}
	if len(f.TwoFactor) > 0 {
		p.note(where, u.Username, "It needs a second factor there; here a key is all.")
	}
	if f.MaxUpload > 0 {
		p.note(where, u.Username, fmt.Sprintf("Its uploads have %d bytes at most; here storage.max_file holds for all.",
			f.MaxUpload))
	}
}

// mounts reads virtual folders. The dump has their places in a list of their own.
func (o *SFTPGo) mounts(d *goDump, u goUser, out *User, where string, p *Plan) {
	for _, f := range u.Folders {
		if i := slices.IndexFunc(d.Folders, func(x goFolder) bool { return x.Name == f.Name }); i >= 0 {
			f.Mapped = cmp.Or(d.Folders[i].Mapped, f.Mapped)
			f.System.Provider = cmp.Or(d.Folders[i].System.Provider, f.System.Provider)
		}
		at := path.Clean("/" + f.Virtual)
		switch {
		case f.System.Provider != 0:
			p.add(where, u.Username, "The folder "+f.Name+" is not on a local disk.", "copy it to a folder first")
		case f.Mapped == "" || at == "/":
			p.add(where, u.Username, "The folder "+f.Name+" has no place.", "correct it in the dump")
		default:
			out.Mounts = append(out.Mounts, Mount{Path: at, Folder: o.on(f.Mapped)})
			if others := sharedBy(d, f.Name, u.Username); others > 0 {
				p.note(where, u.Username, fmt.Sprintf("The folder %s is shared with %d others; each gets its own copy. Let a feed "+
					"deliver what all should get.", f.Name, others))
			}
		}
	}
}

func sharedBy(d *goDump, folder, user string) (n int) {
	for _, u := range d.Users {
		if u.Username != user && slices.ContainsFunc(u.Folders, func(f goFolder) bool { return f.Name == folder }) {
			n++
		}
	}
	return n
}
