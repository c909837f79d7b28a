package publish

import (
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// UrgentLimits are the root's limits on urgent orders, by which one officer lists targets alone: at most Entries
// targets (up to 16) between two releases, each for at most Hours (up to 24). The zero value allows none.
type UrgentLimits struct {
	Entries int `json:"entries"`
	Hours   int `json:"hours"`
}

// Texts of limits in the history, and a regular expression for them.
const (
	noLimits      = "none"
	limitsText    = "one officer alone may list %d on top of a release, each for %d hours"
	limitsPattern = noLimits + `|one officer alone may list \d+ on top of a release, each for \d+ hours`
)

// Message returns the limits in words.
func (u UrgentLimits) Message() Message {
	if u == (UrgentLimits{}) {
		return Phrase{"limits.none", noLimits}.With()
	}
	return Phrase{"limits", limitsText}.With(u.Entries, u.Hours)
}

func (u UrgentLimits) String() string { return u.Message().String() }

// UrgentLimitError is returned for orders on more targets than the root allows. Subscribers would refuse such orders.
// It wraps [blocklist.ErrUntrusted].
type UrgentLimitError struct {
	Targets int    // number of targets ordered since the release, including orders that have ended
	Serial  uint64 // serial of the release
	Most    int    // maximum number of targets
}

// Error implements error.
func (e *UrgentLimitError) Error() string {
	return fmt.Sprintf("%v: %d targets on top of serial %d, the root allows %d; a release by the quorum starts the count again",
		blocklist.ErrUntrusted, e.Targets, e.Serial, e.Most)
}

// Unwrap returns [blocklist.ErrUntrusted].
func (e *UrgentLimitError) Unwrap() error { return blocklist.ErrUntrusted }
