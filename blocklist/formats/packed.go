package formats

import "strings"

// packedStrings makes many short strings with few allocations: it puts them one behind the other into blocks. A
// string that is kept keeps its whole block in memory. The zero value is ready for use.
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
