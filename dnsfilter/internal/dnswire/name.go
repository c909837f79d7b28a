package dnswire

import "bytes"

// pointer is the first byte of a label that points to the rest of the name (RFC 1035, section 4.1.4).
const pointer = 0xc0

// SkipName returns where the name at an offset ends. It checks nothing: the end of a name that breaks off is behind the
// message.
func SkipName(m []byte, off int) int {
	for off < len(m) && m[off] != 0 {
		if m[off] >= pointer {
			return off + 2
		}
		off += 1 + int(m[off])
	}
	return off + 1
}

// CheckName returns where the name at an offset ends; 0 if it is malformed: too long, cut, or with a pointer that does
// not point to an earlier place.
func CheckName(m []byte, off int) (end int) {
	_, end = walk(nil, m, off, false)
	return end
}

// AppendName appends the name at an offset in lower case and without pointers. It returns where the name ends in the
// message; 0 if it is malformed, as CheckName has it.
func AppendName(dst, m []byte, off int) (name []byte, end int) {
	return walk(dst, m, off, true)
}

// walk follows the labels of a name.
func walk(dst, m []byte, off int, copied bool) (_ []byte, end int) {
	before := len(dst)
	for length := 1; off < len(m) && length <= MaxName; {
		switch c := int(m[off]); {
		case c == 0:
			if copied {
				Lower(dst[before:])
				dst = append(dst, 0)
			}
			return dst, max(end, off+1)
		case c > MaxLabel:
			if c < pointer || off+2 > len(m) {
				return dst, 0
			}
			to := Uint16(m, off) & 0x3fff
			if to >= off || to < HeaderSize {
				return dst, 0
			}
			if end == 0 {
				end = off + 2
				m = m[:off] // what it points to ends before it
			}
			off = to
		default:
			if length += 1 + c; off+1+c > len(m) {
				return dst, 0
			}
			if copied {
				dst = append(dst, m[off:off+1+c]...)
			}
			off += 1 + c
		}
	}
	return dst, 0
}

// Lower lowers the letters of a name in place. Lengths of labels are below them.
func Lower(name []byte) {
	for i, c := range name {
		if c-'A' < 26 {
			name[i] = c + 'a' - 'A'
		}
	}
}

// EqualFold reports whether a begins with b, but for the case of letters. It is at least as long.
func EqualFold(a, b []byte) bool {
	for i, c := range b {
		if x := c ^ a[i]; x != 0 && (x != 0x20 || (c|0x20)-'a' >= 26) {
			return false
		}
	}
	return true
}

// IsWithin reports whether a name without pointers is a zone, or below it. Both are in the same case.
func IsWithin(name, zone []byte) bool {
	for len(name) > len(zone) && name[0] != 0 {
		name = name[min(1+int(name[0]), len(name)):]
	}
	return bytes.Equal(name, zone)
}

// SkipLabels skips the first size bytes of the labels of a name, to the end of a label, and pointers, and returns where
// the rest of the name begins. The name was checked.
func SkipLabels(m []byte, off, size int) int {
	for ; ; off += 1 + int(m[off]) {
		for m[off] >= pointer {
			off = Uint16(m, off) &^ 0xc000
		}
		if size <= 0 || m[off] == 0 {
			return off
		}
		size -= 1 + int(m[off])
	}
}

// EqualNames reports whether two names of a message, which were checked, are the same but for the case of letters.
func EqualNames(m []byte, a, b int) bool {
	for {
		a, b = SkipLabels(m, a, 0), SkipLabels(m, b, 0)
		size := int(m[a])
		switch {
		case a == b, size == 0 && m[b] == 0:
			return true
		case int(m[b]) != size || !EqualFold(m[a+1:a+1+size], m[b+1:b+1+size]):
			return false
		}
		a, b = a+1+size, b+1+size
	}
}

// IsAbove reports whether a name of a message is another one, or above it. Both were checked.
func IsAbove(m []byte, zone, name int) bool {
	for {
		if EqualNames(m, zone, name) {
			return true
		}
		if name = SkipLabels(m, name, 0); m[name] == 0 {
			return false
		}
		name = SkipLabels(m, name, 1)
	}
}

// HasLabel reports whether the name at an offset begins with a label, not with a pointer.
func HasLabel(m []byte, off int) bool {
	return off < len(m) && m[off] != 0 && m[off] <= MaxLabel
}

// RestoreCase gives an owner that has no pointer, and is the given name or one above it, the case of that name's
// letters.
func RestoreCase(owner, name []byte) {
	size := SkipName(owner, 0)
	if size > min(len(owner), len(name)) {
		return
	}
	if name = name[len(name)-size:]; EqualFold(owner, name) {
		copy(owner, name)
	}
}

// RestoreLabels gives the first labels of a target, as far as they are those of the given name, the case of that name's
// letters.
func RestoreLabels(target, name []byte) {
	for len(target) > 0 && target[0] != 0 && target[0] == name[0] {
		size := 1 + int(target[0])
		if size > len(target) || !EqualFold(target, name[:size]) {
			return
		}
		copy(target, name[:size])
		target, name = target[size:], name[size:]
	}
}
