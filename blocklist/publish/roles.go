package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/internal/ledger"
)

// Roles of the people who use the list through a program that knows who they are, such as 'blocklist desk'. A person
// who can write the agency's folder needs no role.
const (
	RoleReader   = "reader"   // may read the list and its history
	RoleClerk    = "clerk"    // may propose, list and withdraw
	RoleReviewer = "reviewer" // may do what a clerk may, decide as the second person, override the guards, make releases
	RoleAuditor  = "auditor"  // may read everything, and change nothing
)

// Roles returns all roles.
func Roles() []string { return []string{RoleReader, RoleClerk, RoleReviewer, RoleAuditor} }

const metaRoles = "roles"

// maxRoles is the maximum number of people who have a role.
const maxRoles = 10_000

// RolesOf returns the roles of all people who have one, by person.
func (l *Ledger) RolesOf(ctx context.Context) (map[string]string, error) {
	return readRoles(ctx, l.history.View)
}

func readRoles(ctx context.Context, v ledger.View) (roles map[string]string, err error) {
	stored, err := v.Meta(ctx, metaRoles)
	if err != nil || stored == "" {
		return map[string]string{}, err
	}
	if err := json.Unmarshal([]byte(stored), &roles); err != nil {
		return nil, ledger.Damaged("the roles can't be read: %v", err)
	}
	return roles, nil
}

// SetRole gives a person a role in place of the person's old role. An empty role takes the old one away. Person is the
// name under which the program that uses the roles knows the person: 1 to 128 octets without spaces. The ledger records
// an operation with the given author and reason; its reference is the person and the role. SetRole fails with
// [blocklist.ErrMalformed] if person or role is not valid, and with [ErrUnchanged] if the person already has this role.
func (l *Ledger) SetRole(ctx context.Context, person, role string, by Audit) error {
	if err := checkPerson(person); err != nil {
		return err
	}
	if role != "" && !slices.Contains(Roles(), role) {
		return fmt.Errorf("role %.40q: %w: it is one of %s", role, blocklist.ErrMalformed, strings.Join(Roles(), ", "))
	}
	by.Reference = describeRole(person, role)
	return l.history.Change(ctx, KindRole, by, func(t *ledger.Tx) error {
		roles, err := readRoles(ctx, t.View)
		if err != nil {
			return err
		}
		if roles[person] == role {
			return fmt.Errorf("%w: %s", ErrUnchanged, by.Reference)
		}
		giveRole(roles, person, role)
		if len(roles) > maxRoles {
			return fmt.Errorf("giving %.80q a role: %w: there are %d people", person, blocklist.ErrTooLarge, maxRoles)
		}
		stored, err := json.Marshal(roles)
		return errors.Join(err, t.SetMeta(ctx, metaRoles, string(stored)))
	})
}

func checkPerson(person string) error {
	hidden := func(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }
	if person == "" || len(person) > 128 || strings.ContainsFunc(person, hidden) {
		return fmt.Errorf("person %.80q: %w: a name of 1 to 128 octets without spaces is needed", person, blocklist.ErrMalformed)
	}
	return nil
}

func giveRole(roles map[string]string, person, role string) {
	if role == "" {
		delete(roles, person)
	} else {
		roles[person] = role
	}
}

// noRole stands in the reference of an operation that takes a role away.
const noRole = "none"

// describeRole returns the reference of an operation that sets a person's role.
func describeRole(person, role string) string {
	if role == "" {
		role = noRole
	}
	return person + " " + role
}

// verifyRoles fails unless the stored roles are those that the operations of the history have given.
func verifyRoles(ctx context.Context, view ledger.View) error {
	roles, err := readRoles(ctx, view)
	if err != nil {
		return err
	}
	given := map[string]string{}
	for o, err := range view.Operations(ctx, ledger.Range{Kinds: []string{KindRole}}) {
		if err != nil {
			return err
		}
		person, role, _ := strings.Cut(o.Reference, " ")
		if role == noRole {
			role = ""
		}
		giveRole(given, person, role)
	}
	if !maps.Equal(roles, given) {
		return ledger.Damaged("the roles (%.200q) are not those that operations have given (%.200q)", fmt.Sprint(roles), fmt.Sprint(given))
	}
	return nil
}
