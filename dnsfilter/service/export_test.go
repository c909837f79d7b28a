package service

import "time"

// LimitOutage sets how long all resolvers may be down before the service is not ready.
func (s *Service) LimitOutage(d time.Duration) { s.outageLimit = d }
