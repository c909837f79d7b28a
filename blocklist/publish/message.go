package publish

import (
	"fmt"
	"strings"
	"time"
)

// Phrase is a kind of messages: the key of its text in package words, and the English text in the format of package
// fmt. A phrase without a key is in English only.
type Phrase struct{ Key, Text string }

// With returns the message with some values.
func (p Phrase) With(values ...any) Message { return Message{p, values} }

// Message is a text that the program itself says, not one that a person has written. Its String is English; package
// words says it in other languages.
type Message struct {
	Phrase
	Values []any // numbers, texts, a [Day], a [Key], [UrgentLimits], [Messages] or another message
}

func (m Message) String() string { return fmt.Sprintf(m.Text, m.Values...) }

// MarshalText implements [encoding.TextMarshaler]: JSON has the English text.
func (m Message) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// Messages are several that are said together.
type Messages []Message

func (all Messages) String() string {
	texts := make([]string, len(all))
	for i, m := range all {
		texts[i] = m.String()
	}
	return strings.Join(texts, ", ")
}

// Day is the day of a time, in its zone.
type Day time.Time

func (d Day) String() string { return time.Time(d).Format(time.DateOnly) }
