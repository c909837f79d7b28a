package publish

import (
	"fmt"

	"github.com/argine-dns/argine/blocklist"
)

// UrgentLimits limit what one officer may list alone, if the root allows it: at most Entries targets (up to 16) between
// two releases, each for at most Hours (up to 24). The zero value allows nothing.
type UrgentLimits struct {
	Entries int `json:"entries"`
	Hours   int `json:"hours"`
}

// Texts of limits as they are recorded in the history, and the regular expression for them.
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

// UrgentLimitError is returned for more urgent orders than the root allows: subscribers would refuse them. It wraps
// [blocklist.ErrUntrusted].
type UrgentLimitError struct {
	Targets int    // number of targets that were ordered since the release, even if their orders have ended
	Serial  uint64 // of the release
	Most    int    // maximum number that the root allows
}

// Error implements error.
func (e *UrgentLimitError) Error() string {
	return fmt.Sprintf("%v: %d targets on top of serial %d, the root allows %d; a release by the quorum starts the count again",
		blocklist.ErrUntrusted, e.Targets, e.Serial, e.Most)
}

// Unwrap returns [blocklist.ErrUntrusted].
func (e *UrgentLimitError) Unwrap() error { return blocklist.ErrUntrusted }
