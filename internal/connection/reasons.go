package connection

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport-sftp/sallyport/internal/exchange"
	"github.com/sallyport-sftp/sallyport/model"
)

// facts is what is known besides a connection's record, to explain it.
type facts struct {
	clock
	c       model.Connection
	user    *model.User    // nil: there is none of this name
	renamed *model.Renamed // not nil: a user had this name, and has another one now
	similar []string       // users whose names are like it
	good    []string       // fingerprints of the user's keys that worked then
	works   []string       // those that work now
	offered []offer        // keys offered, with what is known of each
	lists   []allowList
	ban     *model.Ban
	state   model.AccountState // of the user's account, now
	open    bool               // the account is closed, and the user may log in to download
	uploads []model.RefusedUpload
}

// allowList is one list of networks that a log-in must come from. of says whose it is.
type allowList struct {
	of       string
	networks []string
}

// offer is one key that a client offered.
type offer struct {
	fingerprint string
	holders     []model.Key // every record of it, of any user
	burned      *model.BurnedKey
}

// words explain a reason: says to the operator, tells to the partner. helps is an operation that would help, or nil.
type words struct {
	says  func(f *facts) string
	helps *model.Action
	tells func(f *facts) string
}

// reasons is the table from a reason code to words.
var reasons = map[string]words{
	model.ReasonOK: {says: func(f *facts) string { return "Logged in" + f.with() + "." }},
	model.ReasonNoKeyOffered: {
		says: say("Offered no key and gave up; the program is probably set up for a password."),
		tells: say("Choose your private key file in your SFTP program (FileZilla: Logon Type \"Key file\"; WinSCP: " +
			"Advanced, SSH, Authentication). This server takes no passwords."),
	},
	model.ReasonPassword: {
		says: say("Tried a password. This server takes keys only; often somebody types the key's passphrase there."),
		tells: say("This server takes no passwords. The passphrase only unlocks your private key file: choose that file in " +
			"your program, and type the passphrase when it asks for it."),
	},
	model.ReasonUnknownUser: {
		says: func(f *facts) string {
			if f.renamed != nil {
				return fmt.Sprintf("There is no user %q: it was renamed to %q on %s.", f.c.User, f.renamed.To,
					f.stamp(f.renamed.At))
			}
			if f.user != nil {
				return fmt.Sprintf("There was no user %q then.", f.c.User)
			}
			return fmt.Sprintf("There is no user %q.", f.c.User) + like(f.similar)
		},
		tells: func(f *facts) string {
			if f.renamed != nil {
				return fmt.Sprintf("Your username is %s now. Please change it in your program; your key stays the same.",
					f.renamed.To)
			}
			if len(f.similar) == 1 {
				return fmt.Sprintf("Your username is %s, exactly so, with nothing before or after it.", f.similar[0])
			}
			return "Check the username; it is on the sheet that we sent you."
		},
	},
	model.ReasonUnknownKey: {
		says: func(f *facts) string {
			if f.enrolledSince() {
				return "Offered " + f.keys() + ", which nobody had here then." + f.expected()
			}
			return "Offered " + f.keys() + ", which nobody has here." + f.expected()
		},
		tells: describeGoodKey,
	},
	model.ReasonOtherUsersKey: {
		says: func(f *facts) string {
			return "Offered " + f.keys() + ", which belongs to " + f.owners() + "." + f.expected()
		},
		tells: describeGoodKey,
	},
	model.ReasonKeyRevoked: {
		says: func(f *facts) string {
			return "Used " + f.keys() + ", which was revoked" + f.why() + "." + f.expected()
		},
		tells: say("This key was revoked. Use your newer key, or make a new pair and send us the public file."),
	},
	model.ReasonKeyExpired: {
		says: func(f *facts) string {
			return "Used " + f.keys() + ", which has expired" + f.why() + "." + f.expected()
		},
		tells: say("Your key has expired. Please make a new pair and send us the public file."),
	},
	model.ReasonKeyBurned: {
		says: func(f *facts) string {
			return "Used " + f.keys() + ", which is blocked for ever" + f.why() + "." + f.expected()
		},
		tells: say("This key is blocked: its private half was exposed. Please stop using it everywhere, make a new pair " +
			"and send us the public file."),
	},
	model.ReasonKeyReplaced: {
		says: func(f *facts) string {
			return "Used " + f.keys() + ", which was replaced" + f.why() + "." + f.expected()
		},
		tells: describeGoodKey,
	},
	model.ReasonKeyFrozen: {
		says: func(f *facts) string { return "Used " + f.keys() + ", which is frozen" + f.why() + "." },
		tells: say(
			"This key was stopped at the word of one of your contacts. A second contact must confirm it, or a new key."),
	},
	model.ReasonKeyPending: {
		says: func(f *facts) string {
			return "Offered " + f.keys() + ", which waits for your word."
		},
		helps: model.Do("list-pending-keys"),
		tells: say(
			"We have seen your new key. Please read its fingerprint out to us on the phone, so that we can let it in."),
	},
	model.ReasonNotSigned: {
		says: func(f *facts) string { return "Offered the right key" + f.with() + ", and then signed nothing." },
		tells: say("Your key is right, but your program did not unlock it. Type the passphrase of the key file when the " +
			"program asks for it; if it is lost, make a new pair."),
	},
	model.ReasonBadSignature: {
		says: say("Offered the right key, but what it signed was not right. The program is broken, or somebody tried to " +
			"use a key that is not theirs."),
		tells: say("Please update your SFTP program and try again."),
	},
	model.ReasonBanned: {
		says: func(f *facts) string {
			if f.ban != nil {
				return fmt.Sprintf("Turned away: the address was banned until %s, after %d failed connections. The last of them: "+
					"%s.", f.stamp(f.ban.Until), f.ban.Failures, Words(f.ban.Reason))
			}
			return "Turned away: the address was banned at that time, after too many failed connections."
		},
		tells: say("Too many log-ins from your address failed, so it has to wait a quarter of an hour. Stop the program or " +
			"job that keeps trying, correct its settings, and then try again."),
	},
	model.ReasonUserDisabled: {
		says:  say("The key was right, but the user was disabled."),
		tells: say("Your access is switched off at the moment. Please ask us."),
	},
	model.ReasonSuspended: {
		says:  say("The key was right, but the account was suspended."),
		tells: say("The account is suspended at the moment. Please ask us."),
	},
	model.ReasonClosed: {
		says:  say("The key was right, but the account was closed."),
		tells: say("The account is closed."),
	},
	model.ReasonAddress: {
		says: func(f *facts) string {
			return fmt.Sprintf("The address %s was not on the list of those that may come in%s.", f.c.Address, f.allowed())
		},
		tells: func(f *facts) string {
			return fmt.Sprintf("Your connection came from %s, which is not on the list that we agreed on. Connect from a "+
				"listed address, or tell us the new one.", f.c.Address)
		},
	},
	model.ReasonTooMany: {
		says: say("The key is right, but there were too many sessions at once already."),
		tells: say("Your program opens too many connections at once. Limit the number of simultaneous transfers " +
			"(FileZilla: Settings, Transfers), and close old sessions."),
	},
	model.ReasonWeakAlgorithm: {
		says: func(f *facts) string {
			return "Would only sign with something that is not taken" + f.detail() + "; often SHA-1 (\"ssh-rsa\")."
		},
		tells: say("Your program is too old: it signs with SHA-1. Update it, or use an Ed25519 key."),
	},
	model.ReasonNoAlgorithm: {
		says:  func(f *facts) string { return "Had no algorithm in common with this server" + f.detail() + "." },
		tells: say("Your program is too old for today's encryption. Please update it."),
	},
	model.ReasonTimeout: {
		says: say("Was connected, and did not log in in time."),
		tells: say("The log-in took too long. If your program asks for a passphrase, type it sooner, or load the key into " +
			"an agent (Pageant, ssh-agent)."),
	},
	model.ReasonTooManyTries: {
		says: func(f *facts) string {
			return fmt.Sprintf("Offered too many keys (%d), none of them right, and was cut off.",
				len(f.c.Offered)) + f.expected()
		},
		tells: say("Your program offers many keys. Tell it to use only the one for this server (OpenSSH: IdentitiesOnly " +
			"yes; PuTTY: untick \"Attempt authentication using Pageant\")."),
	},
	model.ReasonProtocol: {
		says: func(f *facts) string {
			if f.spokeSSH() {
				return "Broke off before the log-in; perhaps the server's fingerprint was not accepted."
			}
			return "Did not speak SSH" + f.detail() + "."
		},
		tells: func(f *facts) string {
			if f.spokeSSH() {
				return "Compare the fingerprint that your program shows with the one on the sheet that we sent you, and accept " +
					"it if they agree. If they differ, tell us."
			}
			return "Check that the protocol is SFTP (not FTP or FTPS), and that nothing between you and us changes the " +
				"connection."
		},
	},
	model.ReasonSilent: {
		says:  say("Connected, and went away without a word: a port check, perhaps a load balancer's."),
		tells: say("The way to us is open. If your program stops here, check that its protocol is SFTP."),
	},
	model.ReasonNoSFTP: {
		says: func(f *facts) string {
			return "Logged in, and asked for something other than SFTP" + f.detail() + "; it was refused."
		},
		tells: say("Choose SFTP as the protocol. Shells, SCP's old protocol (scp -O) and forwarding are not offered here."),
	},
	model.ReasonDirectory: {
		says: func(f *facts) string {
			if did, only := f.onlyFetched(); only {
				return "Logged in" + f.with() + ", and was refused a change, because the account could only fetch files then: " +
					did + "."
			}
			return "Logged in" + f.with() + ", and was refused in a directory" + f.detail() + "."
		},
		tells: func(f *facts) string {
			if _, only := f.onlyFetched(); only {
				return "Your access is for fetching files: you can download, and not upload or change anything. Please ask us if " +
					"that should be otherwise."
			}
			return "You can't do that" + f.detail() + "." + f.startsIn()
		},
	},
	model.ReasonQuota: {
		says: func(f *facts) string {
			return "Logged in" + f.with() + ", and an upload did not fit" + f.detail() + "."
		},
		tells: func(f *facts) string {
			if strings.Contains(f.c.Detail, exchange.LargerThanQuota) || slices.ContainsFunc(f.uploads, tooLarge) {
				return "Your file is larger than all the space that you have here. Please ask us for more."
			}
			if l, _ := exchange.LimitIn(f.c.Detail); l.Field == quotaFiles {
				return "You have as many files here as you may have. Remove some that you no longer need, or ask us for more."
			}
			return "Your space is full. Remove files that you no longer need, or ask us for more."
		},
	},
	model.ReasonSlowed: {
		says: func(f *facts) string {
			return "Logged in" + f.with() +
				", and made more changes by name than limits.changes_per_hour has; they were slowed down, and none was refused."
		},
		tells: say("Your program renames, removes or makes directories very often, so it is slowed down for a while. " +
			"Nothing is lost."),
	},
	model.ReasonSecondRequest: {
		says: func(f *facts) string {
			return "Offered " + f.keys() +
				", which did not let it in, and asked to begin the log-in again on the same connection, as paramiko does to try " +
				"another key. Here each connection has one log-in." + f.expected()
		},
		tells: say("Your program tried a key that we do not have, and then wanted to try another one on the same " +
			"connection. Choose the right private key file in it, or let it make a new connection for each key."),
	},
	model.ReasonChannels: {
		says: func(f *facts) string {
			return "Logged in" + f.with() +
				", and asked for more SFTP channels at once on one connection than limits.channels has; those were refused, the " +
				"others went on."
		},
		tells: say("Your program opens too many transfers on one connection at a time. Set it to fewer parallel transfers, " +
			"or let each have a connection of its own."),
	},
	model.ReasonUnread: {
		says: func(f *facts) string {
			return "Logged in" + f.with() + ", and sent so much more than was read that the connection was ended."
		},
		tells: say("Your program sent data faster than it can be taken, or on a channel that never asked for SFTP. Please " +
			"use SFTP as usual."),
	},
	model.ReasonServerOverload: {
		says:  say("Turned away: too many others were at the door."),
		tells: say("The server was busy. Please try again."),
	},
	model.ReasonUnavailable: {
		says:  say("The database could not be asked; nobody was let in."),
		tells: say("That was our fault. Please try again."),
	},
}

func say(text string) func(*facts) string { return func(*facts) string { return text } }

// clock formats times in the zone of whoever reads them.
type clock struct{ zone *time.Location }

func (c clock) stamp(t time.Time) string { return t.In(c.zone).Format("2006-01-02 15:04 MST") }

// on is stamp inside a sentence.
func (c clock) on(t time.Time) string { return "on " + t.In(c.zone).Format("2006-01-02 at 15:04 MST") }

// describeGoodKey tells the partner which keys would have worked.
func describeGoodKey(f *facts) string {
	text := "Your program used a key that we don't have for you"
	for _, o := range slices.Backward(f.offered) {
		if !slices.Contains(f.works, o.fingerprint) { // one that was enrolled since is ours by now
			text += " (" + o.fingerprint + ")"
			break
		}
	}
	if len(f.works) == 0 {
		return text + ". Please send us your public key file."
	}
	return text + ". The one that we have is " + strings.Join(f.works, " or ") +
		": choose its private key file, or send us the public file of the other."
}

// keys describes the keys that were offered.
func (f *facts) keys() string {
	switch n := len(f.c.Offered); n {
	case 0:
		return "a key"
	case 1:
		return "the key " + f.c.Offered[0]
	default:
		return fmt.Sprintf("%d keys (%s)", n, strings.Join(f.c.Offered, ", "))
	}
}

// owners names the other users that hold the offered keys.
func (f *facts) owners() string {
	var out []string
	for _, o := range f.offered {
		for _, k := range o.holders {
			if k.User != f.c.User && !k.CreatedAt.After(f.c.At) && (k.RevokedAt == nil || k.RevokedAt.After(f.c.At)) {
				out = append(out, k.User)
			}
		}
	}
	if len(out) == 0 {
		return "another user"
	}
	return strings.Join(out, ", ")
}

// why says why an offered key does not work, and since when.
func (f *facts) why() string {
	for _, o := range f.offered {
		if o.burned != nil {
			return fmt.Sprintf(" since %s: %s", f.stamp(o.burned.At), o.burned.Why)
		}
		for _, k := range o.holders {
			switch {
			case k.User != f.c.User:
			case k.RetiresAt != nil && f.c.Outcome == model.ReasonKeyReplaced:
				return fmt.Sprintf(" on %s by %s", f.stamp(*k.RetiresAt), k.ReplacedBy)
			case k.RevokedAt != nil:
				return fmt.Sprintf(" on %s: %s", f.stamp(*k.RevokedAt), k.RevokedWhy)
			case k.FrozenAt != nil && f.c.Outcome == model.ReasonKeyFrozen:
				return fmt.Sprintf(" since %s, at the word of %s", f.stamp(*k.FrozenAt), k.FrozenBy)
			case k.ExpiresAt != nil:
				return " on " + f.stamp(*k.ExpiresAt)
			}
		}
	}
	return ""
}

// expected says which keys would have worked.
func (f *facts) expected() string {
	switch {
	case f.user == nil:
		return ""
	case len(f.good) == 0 && len(f.works) == 0:
		return fmt.Sprintf(" User %s has no key on file that works.", f.user.Name)
	case len(f.good) == 0:
		return fmt.Sprintf(" User %s had no key on file then that worked.", f.user.Name)
	}
	return " Expected: " + strings.Join(f.good, " or ") + "."
}

// with names the key of a log-in.
func (f *facts) with() string {
	if f.c.Fingerprint == "" {
		return ""
	}
	return " with " + f.c.Fingerprint
}

// spokeSSH reports whether the client's first line was SSH's.
func (f *facts) spokeSSH() bool { return strings.HasPrefix(f.c.Client, "SSH-") }

func (f *facts) detail() string {
	if f.c.Detail == "" {
		return ""
	}
	return ": " + strings.TrimSuffix(f.c.Detail, ".")
}

// onlyFetched returns what was refused because the account could only fetch files.
func (f *facts) onlyFetched() (did string, only bool) {
	return strings.CutSuffix(f.c.Detail, ": "+exchange.OnlyFetches)
}

// refusing returns the lists that do not contain the client's address.
func (f *facts) refusing() (out []allowList) {
	from, _ := netip.ParseAddr(f.c.Address)
	for _, l := range f.lists {
		in := slices.ContainsFunc(l.networks,
			func(n string) bool { p, err := netip.ParsePrefix(n); return err == nil && p.Contains(from) })
		if len(l.networks) > 0 && !in {
			out = append(out, l)
		}
	}
	return out
}

// refusedAddress reports whether the client's address is refused now.
func (f *facts) refusedAddress() bool { return len(f.refusing()) > 0 || f.c.Detail != "" }

// allowed names the lists that do not contain the client's address now.
func (f *facts) allowed() string {
	var out []string
	for _, l := range f.refusing() {
		out = append(out, l.of+": "+strings.Join(l.networks, ", "))
	}
	if len(out) == 0 {
		return f.detail()
	}
	return " (" + strings.Join(out, "; ") + ")"
}

func (f *facts) startsIn() string {
	if f.user == nil {
		return ""
	}
	return " Your files are below " + f.user.StartDir + "."
}

func like(names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	return fmt.Sprintf(" Did they mean %s?", strings.Join(quoted, " or "))
}
