package dockercli

import (
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{infoDocker28, infoPodman, `{"Labels":"a=1,b","Names":"x"}`, `{"Labels":{"a":"b"},"Names":["x"]}`, "null", "{}", `{"Labels":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parseInfo(s, "docker")
		parseContainers(s)
		parseContainer(s)
		parseImages(s)
		parseImage(s)
		parseNetworks(s)
		parseVolume(s)
		hasBuildx(s)
		if n := len(lastLines(s)); n > maxErrorBytes+100 {
			t.Errorf("lastLines returned %d bytes", n)
		}
		failingStep(s)
		classify([]string{"run"}, s)
		engineMessage(s)
	})
}
