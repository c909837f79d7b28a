// Package nearest finds the known word that someone meant who wrote another: a setting, a flag, a command, a category,
// a listed name.
package nearest

import (
	"slices"
	"strings"
)

// maxDistance is the maximum edit distance between two similar words. Short words have a smaller one, see [limit].
const maxDistance = 2

// minPrefix is the length from which a word that begins like a known one counts as a part of it.
const minPrefix = 3

// Word returns the known word that is most similar to the given one, or an empty text if none is similar. Of equals,
// the first one counts.
func Word(given string, known []string) (best string) {
	least := limit(given) + 1
	for _, w := range known {
		if d := distance(given, w); d < least {
			best, least = w, d
		}
	}
	return best
}

// Name returns the known name that was probably meant by a given one, or an empty text. Besides similar names, it finds
// one that begins with the given name, or with which the given name begins; case does not count.
func Name(given string, known []string) string {
	given = strings.ToLower(given)
	if near := Word(given, known); near != "" || len(given) < minPrefix {
		return near
	}
	i := slices.IndexFunc(known, func(w string) bool {
		return strings.HasPrefix(w, given) || len(w) >= minPrefix && strings.HasPrefix(given, w)
	})
	if i < 0 {
		return ""
	}
	return known[i]
}

// Hint returns the advice for an unknown name, to follow the error after a semicolon: the name that was probably meant,
// or else all of the known names.
func Hint(given string, known []string) string {
	if near := Name(given, known); near != "" {
		return "do you mean " + near + "?"
	}
	return "there are " + strings.Join(known, ", ")
}

// limit is the greatest edit distance at which a word counts as similar to another: one error in up to four octets.
func limit(word string) int { return min(maxDistance, (len(word)+1)/3) }

// distance returns the edit distance of two names: the number of octets to be inserted, removed, replaced, or swapped
// with the next octet. If it is greater than maxDistance, the result is maxDistance+1.
func distance(a, b string) int {
	if abs(len(a)-len(b)) > maxDistance {
		return maxDistance + 1
	}
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) > maxDistance {
			return maxDistance + 1
		}
	}
	return row[len(b)]
}

func abs(n int) int { return max(n, -n) }
