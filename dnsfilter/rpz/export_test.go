package rpz

import "context"

// IsCurrent reports whether the zone has the current entries of all sources.
func (z *Zone) IsCurrent() bool {
	s := z.current.Load()
	for i := range z.config.Load().Sources {
		src := &z.config.Load().Sources[i]
		v, err := src.version(i)
		if s == nil || err != nil || s.Sources[i].Version != v {
			return false
		}
	}
	return true
}

// Update makes the zone as its sources are now.
func (z *Zone) Update(ctx context.Context) error { return z.update(ctx) }
