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
		10*24*time.Hour + time.Hour: "in 10 days; do this",
		-time.Hour:                  "has expired on",
	} {
		var s Status
		s.warn("root 1", time.Now().Add(left), "do this")
		if want == "" {
			assert.Empty(t, s.Warnings)
			continue
		}
		assert.Len(t, s.Warnings, 1)
		assert.Contains(t, s.Warnings[0], want)
	}
}
