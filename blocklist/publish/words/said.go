package words

import (
	"fmt"
	"strings"
	"time"

	"github.com/argine-dns/argine/blocklist/publish"
)

// Say returns a message in the language of w.
func (w *Words) Say(m publish.Message) string {
	if m.Key == "" {
		return m.String()
	}
	text := w.Text(m.Key)
	if !strings.Contains(text, "%") {
		return text
	}
	values := make([]any, len(m.Values))
	for i, v := range m.Values {
		values[i] = w.value(v)
	}
	return fmt.Sprintf(text, values...)
}

// value returns a value of a message as text in the language of w.
func (w *Words) value(v any) string {
	switch v := v.(type) {
	case publish.Message:
		return w.Say(v)
	case publish.Messages:
		return strings.Join(w.each(v), ", ")
	case publish.UrgentLimits:
		return w.Say(v.Message())
	case publish.Day:
		return w.Day(time.Time(v))
	}
	return fmt.Sprint(v)
}

func (w *Words) each(all publish.Messages) (texts []string) {
	for _, m := range all {
		texts = append(texts, w.Say(m))
	}
	return texts
}

// Reason returns the reason of an operation. Messages that the program has recorded are in the language of w; the
// author's text stays as it is.
func (w *Words) Reason(o publish.Operation) string {
	c := publish.CauseOf(o)
	texts := w.each(c.Said)
	if c.Reason != "" {
		texts = append(texts, c.Reason)
	}
	if c.Override != "" {
		texts = append(texts, w.Text("said.overridden", c.Override))
	}
	return strings.Join(texts, "; ")
}

// Reference returns the reference of an operation. Messages that the program has recorded are in the language of w; the
// author's text stays as it is.
func (w *Words) Reference(o publish.Operation) string {
	c := publish.CauseOf(o)
	texts := w.each(c.Named)
	if c.Reference != "" {
		texts = append(texts, c.Reference)
	}
	return strings.Join(texts, "; ")
}
