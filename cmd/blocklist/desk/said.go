package desk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/argine-dns/argine/blocklist/publish"
	"github.com/argine-dns/argine/blocklist/publish/words"
)

// reason returns the reason of an operation. What the program gives as a reason is left out where the kind says as
// much, and otherwise said in the words of the reader.
func reason(w *words.Words, o publish.Operation) string {
	switch o.Kind {
	case publish.KindInit, publish.KindExpire, publish.KindProposals:
		return ""
	case publish.KindPush, publish.KindBundle:
		var list, to string
		var serial uint64
		if _, err := fmt.Sscanf(o.Reason, "%s serial %d to %s", &list, &serial, &to); err == nil {
			return w.Text("said.push", serial, to)
		}
	}
	return o.Reason
}

// stated returns the reference of an operation for a person. What the program has put there for proofs is left out, and
// what it says in words of its own is said in those of the reader.
func stated(w *words.Words, o publish.Operation) string {
	reference := publish.StatedReference(o)
	switch o.Kind {
	case publish.KindProposals, publish.KindOverride, publish.KindRules, publish.KindGuard, publish.KindRecover:
		return ""
	case publish.KindConfirm:
		_, numbers, _ := strings.Cut(reference, " ")
		return w.Text("said.proposals", numbers)
	case publish.KindRole:
		name, role, _ := strings.Cut(reference, " ")
		if !slices.Contains(publish.Roles(), role) {
			role = "" // it was ended
		}
		return w.Text("said.role", name, w.Text("role."+role))
	}
	return reference
}
