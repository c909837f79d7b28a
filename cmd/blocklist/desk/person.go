package desk

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/argine-dns/argine/blocklist/publish"
)

// right is a permission. A person's role decides which rights the person has.
type right string

const (
	see    right = "see"    // read the list and its history
	audit  right = "audit"  // read reports, roles and the proof of the history
	change right = "change" // propose, list, withdraw, ask for urgent orders
	sign   right = "sign"   // fetch signing requests, deliver signatures
	decide right = "decide" // decide as the second person, override the guards, make and push releases
)

// owner is the role of the account that started a desk on loopback, until the ledger gives roles to people.
const owner = "owner"

// rightsOf returns the rights of a role.
func rightsOf(role string) []right {
	switch role {
	case publish.RoleReader:
		return []right{see}
	case publish.RoleAuditor:
		return []right{see, audit}
	case publish.RoleClerk:
		return []right{see, change, sign}
	case publish.RoleReviewer, owner:
		return []right{see, audit, change, sign, decide}
	}
	return nil
}

// person is the person who sends a request.
type person struct {
	Name, Role string
	Signed     bool   // whether an officer with this name has signed the pending root or release
	Checked    uint64 // number of proposals that the person has checked and that another person must confirm
}

// may reports whether a person has a right.
func (p person) may(r right) bool { return slices.Contains(rightsOf(p.Role), r) }

var (
	errNoSession = errors.New("no session")
	errStranger  = errors.New("it does not come from the reverse proxy that names the people")
)

// name returns the name of the person who sends a request.
func (d *Desk) name(r *http.Request) (string, error) {
	if d.sessions != nil {
		if !d.sessions.valid(r) {
			return "", errNoSession
		}
		return d.User, nil
	}
	if !d.fromProxy(r) {
		return "", errStranger
	}
	names := r.Header.Values(d.UserHeader)
	if len(names) != 1 || !isName(names[0]) {
		return "", fmt.Errorf("%w: there must be one header %s with one name, of at most 128 octets", errStranger, d.UserHeader)
	}
	return names[0], nil
}

// fromProxy reports whether a request comes from one of [Options.Proxies].
func (d *Desk) fromProxy(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil &&
		slices.ContainsFunc(d.Proxies, func(p netip.Prefix) bool { return p.Contains(from.Addr().Unmap()) })
}

// isName reports whether a text can be a person's name, see [publish.Ledger.SetRole].
func isName(text string) bool {
	hidden := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) || r == unicode.ReplacementChar }
	return text != "" && len(text) <= 128 && !strings.ContainsFunc(text, hidden)
}

// roleOf returns the role of a person; empty if the person has none. The argument roles has the roles in the ledger, by
// name. On loopback, a person is the [owner] as long as the ledger has no roles.
func (d *Desk) roleOf(name string, roles map[string]string) string {
	if len(roles) == 0 && d.sessions != nil {
		return owner
	}
	return roles[name]
}
