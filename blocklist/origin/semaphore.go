package origin

import "sync"

// semaphore limits concurrent operations, in total and for each list.
type semaphore struct {
	all, each int
	mu        sync.Mutex
	taken     int
	of        map[string]int
}

// acquire takes a slot without waiting, and reports whether one was free.
func (s *semaphore) acquire(list string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.all || s.of[list] >= s.each {
		return false
	}
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.taken++
	s.of[list]++
	return true
}

func (s *semaphore) release(list string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.of[list]--; s.of[list] == 0 {
		delete(s.of, list)
	}
}
