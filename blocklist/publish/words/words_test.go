package words

import (
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/argine-dns/argine/blocklist"
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
	_, err = Read("tlh")
	assert.ErrorIs(t, err, blocklist.ErrMalformed)
	assert.ErrorContains(t, err, "choose one of en, it")
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
