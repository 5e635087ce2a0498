package console_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/sallyport-sftp/sallyport/internal/config"
	"github.com/sallyport-sftp/sallyport/internal/keys"
	"github.com/sallyport-sftp/sallyport/internal/testkit"
	"github.com/sallyport-sftp/sallyport/model"
)

// partner makes an account with two people whose addresses are verified, and a user. It returns their ids.
func (w *world) partner(id string) (first, second string) {
	w.t.Helper()
	w.account(id, "ACME Telecom")
	_, err := w.API.AddUser(ctx, model.NewUser{Account: id})
	testkit.Must(w.t, err)
	c, err := w.API.ShowContact(ctx, "sam@"+id+".example")
	testkit.Must(w.t, err)
	return c.ID, w.person(id, "kay@"+id+".example")
}

// person makes a contact whose address is verified.
func (w *world) person(account, email string) string {
	w.t.Helper()
	c, err := w.API.AddContact(ctx, model.NewContact{Account: account, Name: "Kay Wong", Email: email})
	testkit.Must(w.t, err)
	_, err = w.API.EditContact(ctx, c.ID, model.EditContact{Verified: new("called back")})
	testkit.Must(w.t, err)
	return c.ID
}

// pair makes a pair. A PuTTY file of version 2 takes the least time.
func pair(t *testing.T) keys.Pair {
	t.Helper()
	p, err := keys.Issue("ed25519", "acme", "seven words", 2)
	testkit.Must(t, err)
	return p
}

// handing is what the script sends for a pair, and the secrets that it keeps.
func handing(t *testing.T, p keys.Pair, keyTo, passphraseTo string, mails bool) (v url.Values,
	secrets map[string]string) {
	t.Helper()
	v = form("key_to", keyTo, "passphrase_to", passphraseTo, "public", string(p.PubFile))
	secrets = map[string]string{}
	for half, files := range map[string][]keys.File{"key": p.Files("acme", "the sheet"),
		"passphrase": keys.PassphraseFiles("seven words")} {
		sealed, err := keys.Seal(files)
		testkit.Must(t, err)
		v.Set(half+"_token", base64.StdEncoding.EncodeToString(sealed.Token))
		v.Set(half+"_sealed", base64.StdEncoding.EncodeToString(sealed.Sealed))
		if secrets[half] = sealed.Secret; mails {
			v.Set(half+"_secret", sealed.Secret)
		}
	}
	return v, secrets
}

// links lists a user's links by state.
func (w *world) links(user string) map[model.LinkState]int {
	w.t.Helper()
	list, err := w.API.ListLinks(ctx, model.OfUserFilter{User: user})
	testkit.Must(w.t, err)
	out := map[model.LinkState]int{}
	for _, l := range list.Items {
		out[l.State]++
	}
	return out
}

func TestAKeyIsHandedToTwoPeople(t *testing.T) {
	w := begin(t)
	first, second := w.partner("acme")
	w.get("/console/give?text=ACME").says(200, `href="/console/give?account=acme"`)
	w.get("/console/give?account=acme").says(200, `Give a key<span class="unseen"> to acme`,
		"The username will be <code>acme</code>")
	page := "/console/users/acme/give"
	w.get(page).says(200, "The key file goes to", "Sam Lee", "--key-to CONTACT").lacks("data-issue")
	w.get(page+"?key_to="+first+"&passphrase_to="+first).says(422, "go to two different people").lacks("data-issue")
	chosen := page + "?key_to=" + first + "&passphrase_to=" + second
	_, err := w.API.EditContact(ctx, second, model.EditContact{Roles: new([]string{model.RoleSecurity})})
	testkit.Must(t, err)
	w.get(page).says(200, "--key-to sam@acme.example --passphrase-to kay@acme.example", "data-issue") // proposed
	w.get(chosen).says(200, "sallyport key issue acme --key-to sam@acme.example --passphrase-to kay@acme.example")

	made := pair(t)
	v, secrets := handing(t, made, first, second, true)
	a := w.ask(w.admin, page, v).says(200, "Done. The key works now.", made.Public.Fingerprint, "A mail with the link")
	if a.header.Get("Sallyport-Part") != "given" {
		t.Error("the script does not know the answer")
	}
	a.lacks(secrets["key"], secrets["passphrase"])
	w.get("/console/users/acme").says(200, "waiting", "sam@acme.example", "kay@acme.example", "made for them",
		"never used", "Make a new pair and links")

	// Handed over once more, by hand: the links of the key that is replaced stop.
	made2 := pair(t)
	v, _ = handing(t, made2, first, second, false)
	v.Set("replaces", made.Public.Fingerprint)
	w.get(chosen+"&replaces="+url.QueryEscape(made.Public.Fingerprint)).says(200, "key rotate acme")
	w.ask(w.admin, page, v).says(200, `data-link="key"`, `data-link="passphrase"`, "Links are shown this once.",
		made2.Public.Fingerprint)
	if got := w.links("acme"); got[model.LinkWaiting] != 2 || got[model.LinkRevoked] != 2 {
		t.Errorf("links: %v", got)
	}
}

// If a step fails, nothing is left that could be opened.
func TestAFailedHandingOverLeavesNothing(t *testing.T) {
	w := begin(t, func(c *config.Config) { c.Keys.PerUser = 1 })
	first, second := w.partner("acme")
	other := w.person("acme", "lee@acme.example")
	page := "/console/users/acme/give"
	v, _ := handing(t, pair(t), first, second, false)
	w.ask(w.admin, page, v).says(200)
	another := pair(t)
	for what, change := range map[string]func(v url.Values){
		"one key is the limit":          func(url.Values) {},
		"nobody is there":               func(v url.Values) { v.Set("passphrase_to", "nobody@acme.example") },
		"the same person gets both":     func(v url.Values) { v.Set("passphrase_to", first) },
		"a package is damaged":          func(v url.Values) { v.Set("passphrase_token", "odd") },
		"the public half is no key":     func(v url.Values) { v.Set("public", "odd") },
		"no pair was made":              func(v url.Values) { v.Del("public") },
		"a key is replaced that is not": func(v url.Values) { v.Set("replaces", "SHA256:odd") },
	} {
		v, _ := handing(t, another, first, other, false)
		change(v)
		a := w.ask(w.admin, page, v)
		if a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", what, a.status)
		}
		a.says(a.status, "Nothing was handed over.")
		if got := w.links("acme"); got[model.LinkWaiting] != 2 {
			t.Errorf("%s: links: %v", what, got)
		}
	}
	list, err := w.API.ListKeys(ctx, model.UserKeyFilter{User: "acme"})
	if err != nil || len(list.Items) != 1 {
		t.Errorf("%d keys, %v", len(list.Items), err)
	}
}

func TestANewVendorsUserGetsAKey(t *testing.T) {
	w := begin(t)
	_, err := w.API.AddVendor(ctx, model.NewVendor{Short: "kpmg", Name: "KPMG Billing"})
	testkit.Must(t, err)
	w.get("/console/give?text=kpmg").says(200, `href="/console/give?vendor=kpmg"`)
	w.get("/console/give?vendor=kpmg").says(200, "For which account does")
	w.get("/console/give?text=x").says(422, "at least two letters")
	w.get("/console/give?account=nonesuch").says(404, "There is no account")
	w.post("/console/give/account", "id", "/x", "name", "Globex", "vendor", "kpmg").says(422, `value="Globex"`)
	w.post("/console/give/account", "id", "globex", "name", "Globex", "vendor", "kpmg").
		goes("/console/give?account=globex&done=account&vendor=kpmg")
	w.get("/console/give?account=globex&vendor=kpmg").says(200, "<code>globex-kpmg</code>", "template for vendors")
	w.post("/console/give/user", "account", "globex", "vendor", "kpmg", "start_dir", "/none/such").says(422,
		`value="/none/such"`)
	w.post("/console/give/user", "account", "globex", "vendor", "kpmg", "start_dir", "/from-us", "make_start_dir", "1",
		"allow_ips", "192.0.2.0/24, 198.51.100.7").goes("/console/users/globex-kpmg/give?done=user")
	w.post("/console/give/user", "account", "globex", "vendor", "kpmg").says(409, "is taken")

	page := "/console/users/globex-kpmg"
	w.get(page+"/give").says(200, "Nobody is known here.", `<option value="kpmg"`, `<option value="globex"`)
	w.post(page+"/contact", "name", "Ann", "email", "odd", "of", "kpmg").says(422, `<a href="#email">`)
	w.post(page+"/contact", "name", "Ann Vendor", "email", "ann@kpmg.example", "of", "kpmg", "roles", "technical").
		goes(page + "/give?done=contact")
	w.post(page+"/contact", "name", "Tom Holder", "email", "tom@globex.example", "of", "globex").goes(page + "/give")
	ann, err := w.API.ShowContact(ctx, "ann@kpmg.example")
	testkit.Must(t, err)
	tom, err := w.API.ShowContact(ctx, "tom@globex.example")
	testkit.Must(t, err)
	if ann.Vendor != "kpmg" || tom.Account != "globex" {
		t.Errorf("%+v, %+v", ann, tom)
	}
	query := "?key_to=" + ann.ID + "&passphrase_to=" + tom.ID
	w.get(page+"/give"+query).says(422, "is not verified yet, so nothing secret goes there").lacks("data-issue")
	w.post(page+"/verify"+query, "contact", ann.ID, "how", "").says(422)
	w.post(page+"/verify"+query, "contact", ann.ID, "how", "called back").
		goes(page + "/give?done=verified&key_to=" + ann.ID)
	w.post(page+"/verify"+query, "contact", tom.ID, "how", "called back").goes(page + "/give?done=verified")
	w.get(page+"/give"+query).says(200, "Ann Vendor", "2. Make the pair and hand it over")
	made := pair(t)
	v, _ := handing(t, made, ann.ID, tom.ID, false)
	w.ask(w.admin, page+"/give", v).says(200, made.Public.Fingerprint)
}

func TestLinksAndKeysAreRevoked(t *testing.T) {
	w := begin(t)
	first, second := w.partner("acme")
	made := pair(t)
	v, _ := handing(t, made, first, second, false)
	w.ask(w.admin, "/console/users/acme/give", v).says(200)
	page := "/console/users/acme"
	link := between(w.get(page).text, `name="link" value="`, `"`)
	w.post(page+"/revoke-link", "link", link).goes(page + "?done=link")
	w.post(page+"/revoke-link", "link", link).says(409)
	w.get(page+"?done=link").says(200, "The link was revoked.", "revoked")

	query := "/revoke-key?fingerprint=" + url.QueryEscape(made.Public.Fingerprint)
	w.get(page+query).says(200, "This can't be undone.", "No other key of acme works", made.Public.Fingerprint)
	w.get(page+"/revoke-key?fingerprint=none").says(404, "has no such key")
	w.post(page+"/revoke-key", "fingerprint", made.Public.Fingerprint, "reason", "").says(422, `<a href="#reason">`)
	w.post(page+"/revoke-key", "fingerprint", made.Public.Fingerprint, "reason", "lost", "burn", "1").
		goes(page + "?done=key")
	w.get(page).says(200, "blocked", "lost").lacks("Make a new pair and links")
	w.post(page + "/revoke-key").says(422)
}

// A link says from where it was opened, and the user's page when somebody first came in.
func TestTheUsersPageSaysWhatHappened(t *testing.T) {
	w := begin(t)
	w.account("acme", "ACME Telecom")
	key := testkit.NewKey(t)
	r := w.request("acme", func(n *model.AddRequest) {
		n.Key = string(bytes.TrimSpace(testPublic(key)))
	})
	w.post(at(r)+"/approve", "username", "acme", "account", "acme").goes(at(r))
	w.get("/console/users/acme").says(200, "nobody has logged in yet")
	w.SFTP("acme", key)
	w.get("/console/users/acme").says(200, "Last log-in", "AEDT", "127.0.0.1").lacks("nobody has logged in yet")
	testkit.Long(t, "the first log-in is looked for every ten seconds")
	testkit.Eventually(t, "the first log-in is noted", func() bool { return w.state(r) == model.RequestFirstLogin })
	w.get(at(r)).says(200, "First log-in", "first log-in")
	w.get("/console/users/acme").says(200, "First log-in")
}
