package subscribe

import (
	"errors"
	"log/slog"

	"github.com/argine-dns/argine/blocklist/internal/trust"
)

// noteEquivocation checks whether err is a proof that officers have signed two states of one serial. If so, it stores
// the proof in the folder of the list, and logs it once.
//
// Another state of the current serial is refused. A later release that contradicts an earlier one is nevertheless
// enforced: enough officers have signed it, and a list that is never updated again would help no one.
func (s *Subscription) noteEquivocation(err error) {
	var twice *trust.EquivocationError
	if !errors.As(err, &twice) {
		return
	}
	kept, err := twice.Keep(s.list.Dir())
	switch {
	case err != nil:
		s.c.Log.Error("keeping evidence", slogErr(err))
	case kept:
		s.c.Log.Warn("equivocation: officers have signed two states of one serial", slog.Uint64("serial", twice.Serial),
			slog.String("evidence", s.list.Dir()), slogErr(twice))
	}
	s.countEquivocations()
}

func (s *Subscription) countEquivocations() {
	n := trust.CountEvidence(s.list.Dir())
	s.mu.Lock()
	same := s.status.Equivocations == n
	s.mu.Unlock()
	if !same {
		s.setStatus(func(st *Status) { st.Equivocations = n })
	}
}
