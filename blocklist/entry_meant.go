package blocklist

import (
	"fmt"
	"net/netip"
	"strings"
)

// refang undoes defanging: it replaces the spellings, such as hxxp and [.], that keep people from clicking on a name.
var refang = strings.NewReplacer( //nolint:gochecknoglobals // never changed
	"[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[:]", ":", "[://]", "://", "hxxp", "http", "HXXP", "http",
)

// meant explains to people why a target is invalid. If it can guess the target that was meant, it returns that
// target, too. If it can't guess, the explanation is the argument why.
func meant(text, why string) (explanation, target string) {
	guess := func(before, target, after string) (string, string) {
		if target == "" {
			return why, ""
		}
		host, _, _ := strings.Cut(strings.TrimPrefix(target, "https://"), "/")
		if _, bad := parseTarget(target); bad != "" || strings.Contains(host, "..") { // as a URL, a..b is a.b
			return why, ""
		}
		return before + target + after, target
	}
	real := refang.Replace(text)
	if rest, ok := cutMisspeltScheme(real); ok {
		return guess("a URL begins with https:// or http://; do you mean ", "https://"+rest, "?")
	}
	if real != text {
		return guess("it is written so that no one clicks on it; do you mean ", real, "?")
	}
	if i := strings.LastIndexByte(text, '@'); i >= 0 && !strings.Contains(text, "/") {
		explanation, _ = guess("this is an e-mail address; to block all of its domain, list ", text[i+1:], "")
		return explanation, "" // the domain is far more than what was written
	}
	if strings.HasPrefix(text, "[") {
		return guess("an address has no brackets; do you mean ", strings.Trim(text, "[]"), "?")
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 && strings.Trim(text[i+1:], "0123456789") == "" {
		return guess("a name has no port; do you mean ", text[:i], "?")
	}
	if strings.HasPrefix(text, ".") {
		return guess(why+": a name has no dot in front; ", strings.TrimLeft(text, "."), " covers all names below it, too")
	}
	if strings.Contains(text, ",") {
		return "there is a comma in it; entries stand on lines of their own, or are arguments of their own", ""
	}
	return why, ""
}

// meantBy returns the target that an invalid line probably means, or "".
func meantBy(line string) string {
	text, _ := cutTarget(line)
	if text == "" || len(line) > MaxLine {
		return ""
	}
	_, why := parseTarget(text)
	if why == "" { // the attributes are wrong
		return ""
	}
	_, target := meant(text, why)
	return target
}

// cutMisspeltScheme removes what was probably meant as the scheme of a URL, such as htps:/ and http//. It returns false
// if the text does not begin with a misspelt scheme.
func cutMisspeltScheme(text string) (rest string, ok bool) {
	after := strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ*_")
	rest = strings.TrimLeft(after, `:;/\`)
	scheme, mark := text[:len(text)-len(after)], after[:len(after)-len(rest)]
	switch {
	case scheme == "" || rest == "" || strings.Contains(rest, "@"): // an e-mail address
	case mark == "://" && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")):
	case mark == ":" && '0' <= rest[0] && rest[0] <= '9': // a port
	default:
		return rest, strings.HasPrefix(mark, ":") || strings.HasPrefix(mark, ";") || strings.HasPrefix(mark, "//")
	}
	return "", false
}

// meantPrefix returns the text of an error: the address of p has bits set outside the prefix. The text suggests the
// masked network. If that network is huge, the text also names the largest network that begins at the address.
func meantPrefix(p netip.Prefix) string {
	masked := prefixText(p.Masked())
	if p.Bits() >= p.Addr().BitLen()/4 {
		return "bits are set outside the prefix; write " + masked
	}
	bits, octets := p.Addr().BitLen(), p.Addr().AsSlice()
	for i := len(octets) - 1; i > 0 && octets[i] == 0; i-- {
		bits -= 8
	}
	return fmt.Sprintf("bits are set outside the prefix; /%d means all of %s; the network that begins at this address is %s at most",
		p.Bits(), masked, prefixText(netip.PrefixFrom(p.Addr(), bits)))
}
