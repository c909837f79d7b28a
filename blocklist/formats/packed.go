package formats

import "strings"

// packedStrings creates many short strings with few allocations, by packing them into shared blocks. Each string
// keeps its block in memory. The zero value is ready to use.
type packedStrings struct{ block strings.Builder }

const packedBlock = 32 << 10

// add returns b as a string.
func (s *packedStrings) add(b []byte) string {
	if s.block.Cap()-s.block.Len() < len(b) {
		s.block = strings.Builder{}
		s.block.Grow(max(packedBlock, len(b)))
	}
	start := s.block.Len()
	s.block.Write(b)
	return s.block.String()[start:]
}
