package tuftest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// rule is a rule of Argine that TUF does not have. If our error contains one of the texts of the rule, the rule
// explains why our verdict differs from go-tuf's.
type rule struct {
	ours, theirs, why string
	texts             []string
}

func rules() []rule {
	return []rule{
		{refused, accepted, "a list has a name, and one key may sign several lists", []string{"of list", "list name"}},
		{refused, accepted, "documents are short", []string{"too large"}},
		{refused, accepted, "fields of Argine's own have one form", []string{"x-argine-"}},
		{refused, accepted, "officers have distinct names and keys, and sign both roots and targets", []string{
			"key: malformed: the name", "two officers are named", "under an identifier that is not its own",
			"need the same officers and threshold",
		}},
		{refused, accepted, "snapshots are consistent", []string{"consistent_snapshot must be true"}},
		{refused, accepted, "targets are releases, and lead to the newest serial", []string{
			"file name", "has no length or no SHA-256", "digest", "has serial", "there is no way from a snapshot",
		}},
		{refused, accepted, "all files of a confidential list are encrypted, and only they; it stays confidential", []string{
			"but the list is not confidential", "it has a length of at most", "it is encrypted", "end in .age",
			"it is in the clear", "a confidential list stays confidential",
		}},
		{refused, rollback, "a root that skips a version is not older", []string{"does not follow root"}},
		{rollback, accepted, "a serial has one content, and never goes back, not even under new keys", []string{
			"is older than what is held", "equivocation: ",
		}},
	}
}

// ErrDisagrees is returned by [Compare] for a difference without a reason.
var ErrDisagrees = errors.New("go-tuf disagrees")

// Compare compares a verdict with go-tuf's. If they differ, it returns the rule of Argine that explains the difference.
// It fails with [ErrDisagrees] if no rule does.
func Compare(ours, theirs error) (why string, err error) {
	here, there := Class(ours), Class(theirs)
	if here == there {
		return "", nil
	}
	for _, r := range rules() {
		says := func(text string) bool { return ours != nil && strings.Contains(ours.Error(), text) }
		if r.ours == here && r.theirs == there && slices.ContainsFunc(r.texts, says) {
			return r.why, nil
		}
	}
	return "", fmt.Errorf("%w: %s here: %w; %s there: %w", ErrDisagrees, here, ours, there, theirs)
}
