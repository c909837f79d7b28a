package upstream

import (
	"sync/atomic"
	"testing"
	"time"
)

// Hurry has the time of a forwarder pass so many times as fast, and returns its clock. The clock stands still while this
// process does not run.
func (f *Forwarder) Hurry(t *testing.T, times int) (now func() time.Time) {
	t.Helper()
	begin, passed := time.Now(), new(atomic.Int64)
	f.now = func() time.Time { return begin.Add(time.Duration(passed.Load())) }
	f.tick /= time.Duration(times)
	go func() {
		each := time.NewTicker(time.Millisecond)
		defer each.Stop()
		for t.Context().Err() == nil {
			<-each.C
			passed.Add(int64(times) * int64(time.Millisecond))
		}
	}()
	return f.now
}
