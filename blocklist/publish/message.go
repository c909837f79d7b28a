package publish

import (
	"fmt"
	"strings"
	"time"
)

// Phrase is the text of a message before its values are filled in: the key of the text in package words, and the
// English text as a format of package fmt. A phrase without a key exists in English only.
type Phrase struct{ Key, Text string }

// With returns the message that has these values in the phrase.
func (p Phrase) With(values ...any) Message { return Message{p, values} }

// Message is a text of the program, not one that a person has written. Its String is English; package words translates
// it.
type Message struct {
	Phrase
	Values []any // numbers, texts, a [Day], a [Key], [UrgentLimits], [Messages] or another message
}

func (m Message) String() string { return fmt.Sprintf(m.Text, m.Values...) }

// MarshalText implements [encoding.TextMarshaler]: JSON has the English text.
func (m Message) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Messages are several messages that belong together, in order.
type Messages []Message

func (all Messages) String() string {
	texts := make([]string, len(all))
	for i, m := range all {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// Day is the calendar day of a time, in the time zone of that time.
type Day time.Time

func (d Day) String() string { return time.Time(d).Format(time.DateOnly) }
