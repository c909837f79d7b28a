package words

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
	"github.com/argine-dns/argine/blocklist/publish"
)

// Every text is there in every language, with the same verbs and numbers of forms.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	w, err := Read("en")
	require.NoError(t, err)
	verbs := regexp.MustCompile(`%(\[\d\])?[a-z]`)
	for key, texts := range w.texts {
		require.Len(t, texts, len(Languages()), key)
		for _, text := range texts {
			assert.NotEmpty(t, text, key)
			assert.Equal(t, verbs.FindAllString(texts[0], -1), verbs.FindAllString(text, -1), key)
			assert.Equal(t, strings.Count(texts[0], "|"), strings.Count(text, "|"), key)
			assert.False(t, strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }), key)
		}
	}
	text, err := os.ReadFile("words.json")
	require.NoError(t, err)
	assert.Len(t, w.texts, strings.Count(string(text), "\n\""), "a key is there twice")
	_, err = Read("tlh")
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "choose one of en, it")
}

// Each message of the program is in the catalogue, and has values for its text.
func TestPhrases(t *testing.T) {
	t.Parallel()
	w, err := Read("en")
	require.NoError(t, err)
	made, verb := regexp.MustCompile("(?:Phrase\\{|recorded\\()(?:Key: )?\"([^\"]+)\", (?:Text: )?(.*)"), regexp.MustCompile(`%(\.\d+)?[dsqv]`)
	n := 0
	for _, pattern := range []string{"../*.go", "../../../cmd/blocklist/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range made.FindAllStringSubmatch(string(text), -1) {
				n++
				require.Contains(t, w.texts, m[1], file)
				if !strings.Contains(m[2], `"`) {
					continue // its text is elsewhere
				}
				verbs := len(verb.FindAllString(m[2], -1))
				values := make([]any, verbs)
				for i := range values {
					values[i] = i
				}
				said := w.Say(publish.Phrase{Key: m[1], Text: m[2]}.With(values...))
				assert.NotContains(t, said, "%!", m[1])
			}
		}
	}
	assert.Greater(t, n, 50)
}

// Numbers and times are written as each language does.
func TestForms(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 5, 7, 0, time.UTC)
	for language, want := range map[string][]string{
		"en": {"1,234,567", "2026-03-01", "2026-03-01 09:05", "2026-03-01 09:05:07", "March 2026", "2 d 3 h", "1 order has expired", "1,200 orders have expired", "A release is signed, and waits to be published"},
		"it": {"1.234.567", "01/03/2026", "01/03/2026 09:05", "01/03/2026 09:05:07", "marzo 2026", "2 g 3 h", "1 ordine è scaduto", "1.200 ordini sono scaduti", "Una versione è firmata e attende la pubblicazione"},
	} {
		w, err := Read(language)
		require.NoError(t, err)
		assert.Equal(t, strings.Join(want, "\n"), strings.Join([]string{
			w.Number(1234567), w.Day(at), w.Minute(at), w.Second(at), w.Month(at), w.Took(51*time.Hour + 12*time.Second),
			w.Count("task.expired", 1), w.Count("task.expired", 1200), w.Count("task.push", 1),
		}, "\n"), language)
		for m := time.January; m <= time.December; m++ {
			assert.NotEmpty(t, strings.TrimSuffix(w.Month(time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC)), " 2026"))
		}
	}
}
