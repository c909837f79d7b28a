package publish

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWarnings(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]string{
		renewBefore + time.Hour:     "",
		10*24*time.Hour + time.Hour: "in 10 days; blocklist root renews it",
		-time.Hour:                  "has expired on",
	} {
		var s Status
		s.warn(ofRoot.With(1), time.Now().Add(left), renewRoot.With())
		if want == "" {
			assert.Empty(t, s.Warnings)
			continue
		}
		assert.Len(t, s.Warnings, 1)
		assert.Contains(t, s.Warnings[0].String(), want)
	}
}
