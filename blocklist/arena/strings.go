package arena

import "strings"

// Strings makes many short strings with few allocations, by putting them one behind the other. One that is kept keeps its
// neighbours in memory. The zero value is ready for use.
type Strings struct{ block strings.Builder }

const blockSize = 32 << 10

// Keep returns b as a string.
func (s *Strings) Keep(b []byte) string {
	if s.block.Cap()-s.block.Len() < len(b) {
		s.block = strings.Builder{}
		s.block.Grow(max(blockSize, len(b)))
	}
	start := s.block.Len()
	s.block.Write(b)
	return s.block.String()[start:]
}
