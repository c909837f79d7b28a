package publish

// UrgentLimits limit what one officer may list alone, if the root allows it: at most Entries targets (up to 16) on top
// of one release, each for at most Hours (up to 24). The zero value allows nothing.
type UrgentLimits struct {
	Entries int `json:"entries"`
	Hours   int `json:"hours"`
}

// Texts of limits.
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
