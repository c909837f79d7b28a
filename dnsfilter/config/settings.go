package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/formats"
	"github.com/argine-dns/argine/dnsfilter"
	"github.com/argine-dns/argine/dnsfilter/dnstap"
	"github.com/argine-dns/argine/dnsfilter/querylog"
	"github.com/argine-dns/argine/dnsfilter/upstream"
)

// Settings are the settings of dnsfilter.yaml. Relative paths are relative to the folder of the file.
type Settings struct {
	File     string              // path of the settings file; empty: settings without a file
	Included []string            // paths of the included files
	Listen   []string            // addresses in the form of ParseListen; default udp and tcp at 127.0.0.1:5353
	Upstream []upstream.Endpoint // upstream resolvers; default: those of the system
	// State is the folder of the store. Default: $STATE_DIRECTORY, else argine/dnsfilter in the user's state folder. It
	// is empty if neither is known.
	State   string
	Cache   int64              // cache size in bytes; default DefaultCache, 0: no cache
	Lists   []List             // lists in order of precedence: the first that blocks a name decides
	Allow   []string           // files of names that are never blocked
	Quorums []dnsfilter.Quorum // quorums of lists; a list without an action acts in its quorums only
	Views   []View             // groups of clients with other lists or actions
	Clients []netip.Prefix     // networks of served clients; default DefaultClients
	// Local has the special-use zones that the server answers itself. Default: all of SpecialZones. The server also
	// answers resolver.arpa, unless Local has the item "-resolver.arpa".
	Local []string
	// Forward has the zones whose queries go to other resolvers. A special-use zone can be one of them.
	Forward  []ForwardZone
	Stale    dnsfilter.Stale    // how long expired answers are used (serve-stale); default: 24 hours
	BlockTTL uint32             // TTL of blocked answers in seconds, for lists without their own; 0: 30
	ServerID dnsfilter.ServerID // name and version that the server tells clients; default: none
	Records  string             // zone file with local data; empty: none
	// Canaries has names that are denied to tell programs not to use another resolver. The action is NXDomain or
	// NoData.
	Canaries map[blocklist.Name]dnsfilter.Action
	Metrics  netip.AddrPort // HTTP address of /metrics, /healthz and /readyz; zero: none
	// StructuredErrors is the code of the EDNS option for structured errors; see [dnsfilter.Policy].
	StructuredErrors uint16
	Guard            GuardLimits // limits beyond which an update of a list is put on hold

	RateLimit dnsfilter.RateLimit // limit of UDP answers; default: none
	Pprof     netip.AddrPort      // HTTP address of pprof profiles, loopback only; zero: none
	// CookieSecrets is the path of a file with cookie secrets, see ReadCookieSecrets. Empty: a random secret per start.
	CookieSecrets string

	Certificate Certificate    // certificate of the listen addresses with tls, https and quic; zero: none
	Proxies     []netip.Prefix // networks of load balancers, which send a PROXY header first
	StopPage    StopPage       // web server at the sinkhole addresses; default: none

	Dnstap   dnstap.Target // file or collector that gets dnstap messages; zero: none
	QueryLog QueryLog      // log of queries; default: none

	Web netip.AddrPort // HTTP address of the operator's web page; zero: none

	includes []include

	PolicyZones []PolicyZone // policy zones (RPZ) that other resolvers copy
	ZoneFiles   ZoneFiles    // HTTP server for the zone files of the policy zones; zero: none

	fileAt map[string]position // position of each path in the settings, except paths of lists
	given  map[string]bool     // top-level keys that the files set
	values map[string]string   // canonical text of the value of each key, see textOf
}

// View has the settings that differ for some clients.
type View struct {
	// Clients has the client networks of the view. If a client is in several views, the longest prefix decides.
	Clients []netip.Prefix
	Lists   []string                    // names of the lists that apply, also in quorums; nil: all
	Actions map[string]dnsfilter.Action // action by list name; overrides the actions of the list
}

// StopPage has the settings of the web server for the sinkhole addresses.
type StopPage struct {
	HTTP      []netip.AddrPort // addresses of the page; none: there is no stop page
	HTTPS     []netip.AddrPort // addresses at which TLS connections are refused
	BlockedBy string           // URL of the operator, for the Link header of RFC 7725; empty: none
	Templates string           // folder of templates; empty: the built-in ones
}

// QueryLog has the settings of the log of queries.
type QueryLog struct {
	File      string             // path; empty: no log
	Sample    int                // N: one in N queries is logged; 0: only the queries that a list blocks
	Addresses querylog.Addresses // form in which client addresses are logged
}

// Certificate has the paths of two PEM files: Cert, a certificate with its chain, and Key, its private key.
type Certificate struct{ Cert, Key string }

// ForwardZone is a zone whose queries go to other resolvers.
type ForwardZone struct {
	Zone      blocklist.Name
	Resolvers []upstream.Endpoint
}

// PolicyZone has the settings of a response policy zone (RPZ) that other resolvers copy from this server.
type PolicyZone struct {
	Zone   blocklist.Name
	Lists  []string         // names of the lists in any order; the order of Settings.Lists counts
	Key    string           // file with TSIG keys; empty: requests need no signature
	Allow  []netip.Prefix   // networks that may copy the zone
	Notify []netip.AddrPort // secondaries that get a NOTIFY after each change
	File   string           // path of a zone file that the service keeps up to date; empty: none
	ZONEMD bool             // the zone gets a ZONEMD record, a digest of its records (RFC 8976)

	position position
}

// ZoneFiles has the settings of the HTTP server for the zone files of policy zones.
type ZoneFiles struct {
	At  netip.AddrPort // listen address; zero: no server
	TLS bool           // HTTPS, with the certificate of the settings
}

// GuardLimits are the limits of the guard. An update of a signed list, or a changed list file, that exceeds them waits
// for approval by a person; see package guard.
type GuardLimits struct {
	MaxGrowth, MaxShrink float64  // maximum share of entries to add or remove at once; zero: the default
	NoBuiltIn            bool     // turns off the built-in protected names, see [guard.BuiltIn]
	Protected            []string // files of names and addresses that no entry may block
	Popular              []string // files of popular names that no entry may cover
}

// include is an item of the key include: a pattern of paths of further settings files.
type include struct {
	pattern string // absolute path with wildcards: *, ? or [
	at      position
}

// List has the settings of one list. A signed list has Root and From. An unsigned list has a File, either the
// operator's or a fetched one (Fetch).
type List struct {
	dnsfilter.Rule

	Root     string          // file with the list's root of trust
	From     []string        // base URLs of origins and mirrors, or folders with a copy of an origin's files
	Identity string          // file with the age identity that decrypts a confidential list
	Receipts string          // file with the signing key for receipts; empty: no receipts
	File     string          // file in any format of package formats; read again when it changes
	Fetch    Fetch           // source of the file; zero: the operator writes it
	Format   formats.Format  // format of the file; zero: detected
	Scope    blocklist.Scope // scope of the entries of the file; zero: the default of the format

	// Zone is the zone that the owner names of an RPZ file are relative to. Empty: taken from $ORIGIN or the SOA
	// record.
	Zone string
	RPZ  blocklist.Name // name of the policy zone; empty: the list is no policy zone
	// StopPage has the addresses or names of the stop page to which the author of the file redirects blocked names.
	// None: detected by package formats.
	StopPage  []string
	Unguarded bool // changes of the file are not checked by guards

	position position
	text     string // canonical text of the list's settings, see textOf
	implied  bool   // the key action is not set
	broken   bool   // the settings of the list have errors
}

// Fetch says where an unsigned list is fetched from: a web server (URLs), or the primaries of a zone (Primaries). The
// fetched file is in the state folder. The zero value means that the list is not fetched.
type Fetch struct {
	URLs      []string            // copies of the same file, in order of preference
	Refresh   time.Duration       // time between two requests; 0: DefaultRefresh
	AllowHTTP bool                // allows URLs with the scheme http
	Primaries []upstream.Endpoint // primaries of the zone, in order of preference
	KeyFile   string              // file with TSIG keys; its first key signs requests; empty: no signatures
}

// IsSet reports whether the list is fetched.
func (f *Fetch) IsSet() bool { return len(f.URLs)+len(f.Primaries) > 0 }

// Default returns the settings of a file that sets nothing.
func Default() *Settings {
	s := &Settings{Cache: dnsfilter.DefaultCache}
	s.setDefaults()
	return s
}

// setDefaults sets the defaults of Listen, Local and State where the file does not set them.
func (s *Settings) setDefaults() {
	if len(s.Listen) == 0 {
		s.Listen = []string{"udp://127.0.0.1:5353", "tcp://127.0.0.1:5353"}
	}
	if s.Local == nil {
		s.Local = dnsfilter.SpecialZones()
	}
	if s.State == "" {
		s.State = defaultState()
	}
}

// defaultState returns the default state folder: $STATE_DIRECTORY (set by systemd), or else argine/dnsfilter in
// $XDG_STATE_HOME or ~/.local/state. It is empty if none of these is set. Folders for caches or temporary files are
// never used: they may be emptied, and the protection against rollback would be lost.
func defaultState() string {
	if first, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); first != "" {
		return first
	}
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		home, err := os.UserHomeDir()
		if err != nil || !filepath.IsAbs(home) {
			return ""
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "argine", "dnsfilter")
}

// OwnFiles returns the paths of the files that belong to the settings: the settings file, the included files, the
// cookie secrets, the local data, the TSIG keys and the files of the guard.
func (s *Settings) OwnFiles() []string {
	files := slices.Concat(s.Guard.Files(), s.Included, s.keyFiles())
	for _, path := range []string{s.File, s.CookieSecrets, s.Records} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}

// inputs returns the paths of the files that the settings name and the service reads. It leaves out the fetched files
// of lists, and the templates of the stop page.
func (s *Settings) inputs() []string {
	paths := slices.Concat(s.OwnFiles(), s.Certificate.Files(), s.Allow)
	for i := range s.Lists {
		l := &s.Lists[i]
		for _, path := range []string{l.Root, l.Identity, l.Receipts, l.File} {
			if path != "" && (path != l.File || !l.Fetch.IsSet()) {
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// keyFiles returns the paths of the TSIG key files of the policy zones and of the fetched zones.
func (s *Settings) keyFiles() (paths []string) {
	for _, z := range s.PolicyZones {
		if z.Key != "" {
			paths = append(paths, z.Key)
		}
	}
	for i := range s.Lists {
		if path := s.Lists[i].Fetch.KeyFile; path != "" {
			paths = append(paths, path)
		}
	}
	return paths
}
