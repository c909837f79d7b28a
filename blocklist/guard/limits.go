package guard

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Limits configure the checks. The zero value is a sensible default: every check is on, with the built-in list of
// protected names and no popular names.
type Limits struct {
	// MaxGrowth and MaxShrink limit the additions and the removals of one update, as a share of the entries before it;
	// zero means 0.2. An entry of which only attributes have changed counts as neither an addition nor a removal. The
	// first state of a list is not measured, because it grows from nothing. Up to 10 additions and 10 removals always
	// pass.
	MaxGrowth, MaxShrink float64
	// Protected are the names and addresses that no entry may touch: an entry is held if it covers anything that a
	// protected entry covers. So example.com protects that name and all names below it, =example.com that name alone,
	// 192.0.2.0/24 its addresses. URLs are refused. The entry's reference explains the protection; findings quote it.
	// See [ReadProtected].
	Protected []blocklist.Entry
	// NoBuiltIn leaves out the names of [BuiltIn], which are otherwise protected as well.
	NoBuiltIn bool
	// Popular are names that no entry may cover; their subdomains may be listed. See [ReadPopular].
	Popular []Popular
	// Diverts says that the resolver diverts the hosts of the list's URL entries to a proxy. Each URL entry then counts
	// for its whole host, whatever its path is.
	Diverts bool
}

// Popular is a name with many visitors.
type Popular struct {
	Name blocklist.Name
	Rank int // 1 is the most popular
}

// withDefaults replaces zero values by the defaults, and refuses invalid limits.
func (l Limits) withDefaults() (Limits, error) {
	for _, share := range []*float64{&l.MaxGrowth, &l.MaxShrink} {
		if *share == 0 {
			*share = 0.2
		}
		if !(*share > 0) { // NaN is refused too
			return l, fmt.Errorf("limit of growth or shrink %v: %w: it is a share, such as 0.2", *share, blocklist.ErrMalformed)
		}
	}
	return l, nil
}

// ParseShare parses a share for [Limits.MaxGrowth] and [Limits.MaxShrink], such as 20% or 0.2. Values of 1 and above
// need the percent sign, because 20 could mean 20% or 2000%. It fails with [blocklist.ErrMalformed].
func ParseShare(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	number = strings.TrimSpace(number)
	share, err := strconv.ParseFloat(number, 64)
	if percent {
		share /= 100
	}
	switch {
	case err != nil || strings.Trim(number, "0123456789.") != "" || share <= 0 || share > maxShare:
		return 0, fmt.Errorf("share %.40q: %w: write it like 20%%, more than 0%%", text, blocklist.ErrMalformed)
	case share >= 1 && !percent:
		return 0, fmt.Errorf("share %.40q: %w: write it with a percent sign, like %.40s%%", text, blocklist.ErrMalformed,
			number)
	}
	return share, nil
}

// maxShare is the largest share: practically no limit.
const maxShare = 1e6
