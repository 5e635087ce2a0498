package model

// ImportPartners is the body that brings in many partners at once. What it does not name stays as it is.
type ImportPartners struct {
	Vendors  []PartnerVendor  `json:"vendors,omitempty"`
	Accounts []PartnerAccount `json:"accounts,omitempty"`
	DryRun   bool             `json:"dry_run,omitempty" doc:"Change nothing; say what would be done"`
	Update   bool             `json:"update,omitempty" doc:"Also change what exists and differs"`
}

// PartnerVendor is a vendor as a file of partners has it.
type PartnerVendor struct {
	Line     int              `json:"line,omitempty" doc:"Where the file has it"`
	Short    string           `json:"short"`
	Name     string           `json:"name"`
	Tags     []string         `json:"tags,omitempty"`
	Contacts []PartnerContact `json:"contacts,omitempty"`
}

// PartnerAccount is an account as a file of partners has it.
type PartnerAccount struct {
	Line     int              `json:"line,omitempty" doc:"Where the file has it"`
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	Parent   string           `json:"parent,omitempty"`
	Region   string           `json:"region,omitempty"`
	AllowIPs []string         `json:"allow_ips,omitempty"`
	Manager  *Person          `json:"manager,omitempty"`
	Tags     []string         `json:"tags,omitempty"`
	Contacts []PartnerContact `json:"contacts,omitempty"`
	Users    []PartnerUser    `json:"users,omitempty"`
}

// PartnerContact is a person as a file of partners has it.
type PartnerContact struct {
	Line  int      `json:"line,omitempty" doc:"Where the file has it"`
	Name  string   `json:"name"`
	Email string   `json:"email"`
	Phone string   `json:"phone,omitempty"`
	Roles []string `json:"roles,omitempty" doc:"technical (default), billing, security"`
}

// PartnerUser is a log-in as a file of partners has it.
type PartnerUser struct {
	Line     int          `json:"line,omitempty" doc:"Where the file has it"`
	Name     string       `json:"name,omitempty" doc:"By default the account ID, or account ID and vendor"`
	Vendor   string       `json:"vendor,omitempty" doc:"Vendor short name"`
	StartDir string       `json:"start_dir,omitempty"`
	AllowIPs []string     `json:"allow_ips,omitempty"`
	Tags     []string     `json:"tags,omitempty"`
	Keys     []PartnerKey `json:"keys,omitempty"`
	// RootRights is NewUser's. It is not compared with what a user has who exists.
	RootRights *[]string     `json:"root_rights,omitempty" doc:"Rights in its root, and no directories of its template"`
	Feeds      []PartnerFeed `json:"feeds,omitempty"`
}

// PartnerKey is a public key as a file of partners has it.
type PartnerKey struct {
	Line int    `json:"line,omitempty" doc:"Where the file has it"`
	Text string `json:"text" doc:"The public key, in any common form"`
}

// PartnerFeed is a subscription as a file of partners has it.
type PartnerFeed struct {
	Line  int      `json:"line,omitempty" doc:"Where the file has it"`
	Feed  string   `json:"feed"`
	Dir   string   `json:"dir,omitempty"`
	Types []string `json:"types,omitempty"`
}

// ImportDoes says what an import does with one thing.
type ImportDoes string

// What an import does.
const (
	ImportAdds    ImportDoes = "add"
	ImportSame    ImportDoes = "same"    // it exists, and is as the file has it
	ImportChanges ImportDoes = "change"  // it exists, and is changed
	ImportDiffers ImportDoes = "differs" // it exists, and stays as it is
	ImportMistake ImportDoes = "mistake" // it can't be done; then nothing is
	ImportFailed  ImportDoes = "failed"  // it was tried and failed; nothing after it was tried
)

// ImportStep is what an import does with one thing.
type ImportStep struct {
	Line int        `json:"line,omitempty" doc:"Where the file has it"`
	What string     `json:"what" doc:"account acme, key SHA256:… of acme, …"`
	Does ImportDoes `json:"does" enum:"add,same,change,differs,mistake,failed"`
	Text string     `json:"text,omitempty" doc:"What differs, or what is wrong"`
}

// Imported is what an import did or, with mistakes or as a dry run, would do.
type Imported struct {
	Steps []ImportStep `json:"steps" doc:"In the order of the work"`
	Done  int          `json:"done" doc:"Things that were added or changed"`
}

// Count returns how many steps do something.
func (i *Imported) Count(does ImportDoes) (n int) {
	for _, s := range i.Steps {
		if s.Does == does {
			n++
		}
	}
	return n
}
