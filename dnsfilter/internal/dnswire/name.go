package dnswire

import "bytes"

// pointer is the smallest first byte of a compression pointer (RFC 1035, section 4.1.4).
const pointer = 0xc0

// SkipName returns the offset after the name at an offset. It checks nothing: for a truncated name, it returns an
// offset beyond the message.
func SkipName(m []byte, off int) int {
	for off < len(m) && m[off] != 0 {
		if m[off] >= pointer {
			return off + 2
		}
		off += 1 + int(m[off])
	}
	return off + 1
}

// CheckName returns the offset after the name at an offset. It returns 0 if the name is malformed: too long, truncated,
// or with a pointer that does not point to an earlier offset.
func CheckName(m []byte, off int) (end int) {
	_, end = walk(nil, m, off, false)
	return end
}

// AppendName appends the name at an offset to dst, in lower case and uncompressed. It also returns the offset after the
// name in m, or 0 if the name is malformed, like CheckName.
func AppendName(dst, m []byte, off int) (name []byte, end int) {
	return walk(dst, m, off, true)
}

// walk follows the labels and pointers of the name at an offset, and returns the offset after it, like CheckName. If
// copied is true, it appends the name to dst, like AppendName.
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
				m = m[:off] // the target of a pointer ends before the pointer
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

// Lower converts an uncompressed name to lower case in place. Length bytes have smaller values than letters, so they do
// not change.
func Lower(name []byte) {
	for i, c := range name {
		if c-'A' < 26 {
			name[i] = c + 'a' - 'A'
		}
	}
}

// EqualFold reports whether a begins with b, ignoring letter case. The slice a must not be shorter than b.
func EqualFold(a, b []byte) bool {
	for i, c := range b {
		if x := c ^ a[i]; x != 0 && (x != 0x20 || (c|0x20)-'a' >= 26) {
			return false
		}
	}
	return true
}

// IsWithin reports whether name is equal to zone or below it. Both must be uncompressed and have the same letter case.
func IsWithin(name, zone []byte) bool {
	for len(name) > len(zone) && name[0] != 0 {
		name = name[min(1+int(name[0]), len(name)):]
	}
	return bytes.Equal(name, zone)
}

// SkipLabels skips labels at the beginning of a name, at least size bytes in total, and follows pointers. It returns
// the offset of the remaining name. The name must have passed CheckName.
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

// EqualNames reports whether the names at offsets a and b are equal, ignoring letter case. Both must have passed
// CheckName.
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

// IsAbove reports whether the name at offset zone is equal to the name at offset name, or above it, ignoring letter
// case. Both must have passed CheckName.
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

// HasLabel reports whether the name at an offset begins with a label. It returns false for a pointer and for the root.
func HasLabel(m []byte, off int) bool {
	return off < len(m) && m[off] != 0 && m[off] <= MaxLabel
}

// RestoreCase copies the letter case of name to owner, if owner is uncompressed, and equal to name or above it.
func RestoreCase(owner, name []byte) {
	size := SkipName(owner, 0)
	if size > min(len(owner), len(name)) {
		return
	}
	if name = name[len(name)-size:]; EqualFold(owner, name) {
		copy(owner, name)
	}
}

// RestoreLabels copies the letter case of name to target, label by label from the left, as long as the labels are
// equal.
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
