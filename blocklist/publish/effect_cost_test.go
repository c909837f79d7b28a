package publish_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The documents of past urgent orders are read once, however many of the targets on a page were ordered.
func TestEffectsReadOrdersOnce(t *testing.T) { //nolint:paralleltest // it counts allocations
	a := urgentAgency(t)
	var targets []string
	for i := range 12 {
		targets = append(targets, fmt.Sprintf("live%d.example", i))
		_, err := a.order(t, entries(t, targets[i]))
		require.NoError(t, err)
		_, err = a.KeepUrgent(t.Context(), nil, cause)
		require.NoError(t, err)
		a.release(t)
	}
	cost := func(targets []string) float64 {
		least := math.Inf(1)
		for range 10 { // what runs beside it allocates, too
			least = min(least, testing.AllocsPerRun(1, func() {
				_, err := a.Effects(t.Context(), targets, time.Now())
				assert.NoError(t, err)
			}))
		}
		return least
	}
	assert.Less(t, cost(targets), 6*cost(targets[:1]), "for %d targets", len(targets))
}
