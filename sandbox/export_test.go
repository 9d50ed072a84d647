package sandbox

import "time"

// SetAnswerTimeout has a test wait less for a guest that does not answer.
func (c *Command) SetAnswerTimeout(d time.Duration) { c.answerTimeout = d }
