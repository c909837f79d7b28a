package guard

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/argine-dns/argine/blocklist"
)

// Limits say what trips. The zero value is the sensible one: every guard is on, with nothing protected and nothing
// popular.
type Limits struct {
	// MaxGrowth and MaxShrink are the additions and the removals of one update as a share of the entries before it;
	// zero: 0.2. An entry whose attributes alone change counts as neither. The first state of a list grows from
	// nothing and is not measured. Up to 10 of each always pass.
	MaxGrowth, MaxShrink float64
	// Protected are the names and addresses that no entry may touch: an entry is held if it covers anything that one
	// of these covers. So example.com protects that name and all below it, =example.com that name alone, 192.0.2.0/24
	// its addresses. URLs are refused. A reference says why; it is shown with what is found. See [ReadProtected].
	Protected []blocklist.Entry
	// Popular are names that no entry may cover, whose subdomains may be listed. See [ReadPopular].
	Popular []Popular
	// Diverts says that the resolver leads the hosts of the list's url entries to a proxy: each such entry then
	// counts for its whole host, whatever its path is.
	Diverts bool
}

// Popular is a name that many people ask for.
type Popular struct {
	Name blocklist.Name
	Rank int // from 1, the most popular
}

// withDefaults fills in what is zero, and refuses what makes no sense.
func (l Limits) withDefaults() (Limits, error) {
	for _, share := range []*float64{&l.MaxGrowth, &l.MaxShrink} {
		if *share == 0 {
			*share = 0.2
		}
		if !(*share > 0) { // not a number, too
			return l, fmt.Errorf("limit of growth or shrink %v: %w: it is a share, such as 0.2", *share, blocklist.ErrMalformed)
		}
	}
	return l, nil
}

// ParseShare reads a share for [Limits.MaxGrowth] and [Limits.MaxShrink], such as 20% or 0.2. From 1 on it needs the
// percent sign: 20 is neither 20% nor 2000%. It fails with [blocklist.ErrMalformed].
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

// maxShare is as good as no limit.
const maxShare = 1e6
