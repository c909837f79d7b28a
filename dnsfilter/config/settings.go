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
	File     string              // path of the settings file; empty: none
	Included []string            // paths of the files that it includes
	Listen   []string            // addresses in the form of ParseListen; default udp and tcp at 127.0.0.1:5353
	Upstream []upstream.Endpoint // resolvers; default: the system's
	// folder of the store; default: $STATE_DIRECTORY, else argine/dnsfilter in the user's state folder; empty if
	// neither is known
	State   string
	Cache   int64              // cache size in bytes; default DefaultCache, 0: no cache
	Lists   []List             // in order: the first that blocks a name decides
	Allow   []string           // files of names that are never blocked
	Quorums []dnsfilter.Quorum // quorums of lists; their lists without an action act in quorums only
	Views   []View             // groups of clients with other lists or actions
	Clients []netip.Prefix     // networks of served clients; default DefaultClients
	// special-use zones that the server answers itself; default: all of SpecialZones; see discovery for resolver.arpa
	Local []string
	// zones that other resolvers answer, also instead of a special-use zone
	Forward  []ForwardZone
	Stale    dnsfilter.Stale    // how long expired answers are used; default: 24 hours
	BlockTTL uint32             // of blocked answers, in seconds, for lists without a TTL of their own; 0: 30
	ServerID dnsfilter.ServerID // what the server says about itself; default: nothing
	Records  string             // file of local data, a zone file; empty: none
	// names whose denial tells programs not to use another resolver; the action is NXDomain or NoData
	Canaries map[blocklist.Name]dnsfilter.Action
	Metrics  netip.AddrPort // HTTP address of /metrics, /healthz and /readyz; zero: none
	// StructuredErrors is the same as in Policy.
	StructuredErrors uint16
	Guard            GuardLimits // limits that suspend an update of a list

	RateLimit     dnsfilter.RateLimit // of queries over UDP; default: none
	Pprof         netip.AddrPort      // HTTP address of profiles, loopback only; zero: none
	CookieSecrets string              // file, see ReadCookieSecrets; default: a random secret per start

	Certificate Certificate    // of the listen addresses with tls, https and quic; zero: none
	Proxies     []netip.Prefix // networks whose connections and datagrams begin with a PROXY header
	StopPage    StopPage       // web server for the sinkhole addresses; default: none

	Dnstap   dnstap.Target // where messages go; zero: nowhere
	QueryLog QueryLog      // default: none

	Web netip.AddrPort // HTTP address of the operator's page; zero: none

	includes []include

	PolicyZones []PolicyZone // policy zones (RPZ) that other resolvers copy
	ZoneFiles   ZoneFiles    // HTTP address of zone files of the policy zones; zero: none

	fileAt map[string]position // positions of file names
	given  map[string]bool     // keys that the file sets
	values map[string]string   // their values, as textOf returns them
}

// View has the settings that differ for some clients.
type View struct {
	// client networks; if a client is in several views, the longest prefix decides
	Clients []netip.Prefix
	Lists   []string                    // lists that apply, also in quorums; nil: all
	Actions map[string]dnsfilter.Action // action by list; overrides the list's own actions
}

// StopPage has the settings of the web server for the sinkhole addresses.
type StopPage struct {
	HTTP      []netip.AddrPort // where the page is shown; none: there is no stop page
	HTTPS     []netip.AddrPort // where TLS connections are refused
	BlockedBy string           // URL of the operator, for the Link header of RFC 7725; empty: none
	Templates string           // folder of templates; empty: the built-in ones
}

// QueryLog has the settings of the log of queries.
type QueryLog struct {
	File      string             // empty: there is none
	Sample    int                // 1 in so many queries is written; 0: all queries that a list blocks, and no others
	Addresses querylog.Addresses // how the addresses of clients are written
}

// Certificate has the paths of a certificate with its chain and of its private key, both as PEM.
type Certificate struct{ Cert, Key string }

// ForwardZone is a zone that other resolvers answer.
type ForwardZone struct {
	Zone      blocklist.Name
	Resolvers []upstream.Endpoint
}

// PolicyZone is a response policy zone that other resolvers copy.
type PolicyZone struct {
	Zone   blocklist.Name
	Lists  []string         // in any order; their order in the settings counts
	Key    string           // file with TSIG keys; empty: requests need no signature
	Allow  []netip.Prefix   // who may copy the zone
	Notify []netip.AddrPort // who is notified of changes
	File   string           // a zone file that is kept up to date; empty: none
	ZONEMD bool             // the zone has a digest of its records (RFC 8976)

	position position
}

// ZoneFiles is where policy zones are served as zone files over HTTP.
type ZoneFiles struct {
	At  netip.AddrPort // zero: nowhere
	TLS bool           // with the certificate of the settings
}

// GuardLimits are the limits of the guard. An update of a signed list, or a changed list file, that exceeds them waits
// for approval by a person; see package guard.
type GuardLimits struct {
	MaxGrowth, MaxShrink float64  // maximum share of entries to add or remove at once; zero: the default
	NoBuiltIn            bool     // leave out the built-in protected names, see [guard.BuiltIn]
	Protected            []string // files of names and addresses that no entry may block
	Popular              []string // files of popular names that no entry may cover
}

// include is a pattern of files that belong to the settings.
type include struct {
	pattern string // absolute
	at      position
}

// List is one list of the settings. A signed list has Root and From. An unsigned list has a File: one of the operator,
// or one that is fetched (Fetch).
type List struct {
	dnsfilter.Rule

	Root     string          // file with the list's root of trust
	From     []string        // base URLs of origins and mirrors, or folders with a copy
	Identity string          // file with the age identity that decrypts a confidential list
	Receipts string          // file with the signing key for receipts; empty: no receipts
	File     string          // file in any format of package formats; read again when it changes
	Fetch    Fetch           // where the file comes from; zero: from the operator
	Format   formats.Format  // zero: detected
	Scope    blocklist.Scope // zero: the default of the format

	// for an RPZ file: the zone that its owner names are relative to; empty: taken from $ORIGIN or the SOA record
	Zone string
	RPZ  blocklist.Name // name of the policy zone; empty: the list is no policy zone
	// for a file: addresses or names of the stop page to which its author redirects blocked names; none: detected by
	// package formats
	StopPage  []string
	Unguarded bool // for a file: the guards are off

	position position
	text     string // as textOf returns it
	implied  bool   // no action was set
	broken   bool   // it has errors
}

// Fetch says from where an unsigned list is fetched into a file of the state folder: from a web server (URLs), or as a
// zone from its primaries. The zero value is a list that is not fetched.
type Fetch struct {
	URLs      []string            // of copies of the same file; the first that answers counts
	Refresh   time.Duration       // time between two requests; 0: DefaultRefresh
	AllowHTTP bool                // URLs may have the scheme http
	Primaries []upstream.Endpoint // of the zone; the first that answers counts
	KeyFile   string              // file with TSIG keys, of which the first signs requests; empty: no signatures
}

// IsSet reports whether the list is fetched.
func (f *Fetch) IsSet() bool { return len(f.URLs)+len(f.Primaries) > 0 }

// Default returns the settings of a file that sets nothing.
func Default() *Settings {
	s := &Settings{Cache: dnsfilter.DefaultCache}
	s.setDefaults()
	return s
}

// setDefaults sets the default of each key that the file does not set.
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

// OwnFiles returns the paths of the settings file, the included files, the cookie secrets, the local data, the TSIG
// keys and the files of the guard.
func (s *Settings) OwnFiles() []string {
	files := slices.Concat(s.Guard.Files(), s.Included, s.keyFiles())
	for _, path := range []string{s.File, s.CookieSecrets, s.Records} {
		if path != "" {
			files = append(files, path)
		}
	}
	return files
}

// inputs returns the paths of all files that the service reads, except those that it fetches itself.
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

// keyFiles returns the paths of the key files of the policy zones, and of the zones that are fetched.
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
