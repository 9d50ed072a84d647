package sandbox

import "github.com/drydock-go/drydock/sandbox/internal/wire"

// Size is the size of a terminal in characters.
type Size struct{ Rows, Cols uint16 }

// Resize changes the size of the command's terminal. A command without a Terminal is
// CodeInvalid.
func (c *Command) Resize(s Size) error {
	if c.Terminal == nil {
		return failure("resize", c.name(), invalid("the command has no terminal: set Terminal before it starts"))
	}
	return c.sendSignal("resize", wire.Signal{Size: &wire.Size{Rows: s.Rows, Cols: s.Cols}})
}
