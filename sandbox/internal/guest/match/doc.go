// Package match finds names and text: globs, the rules of .gitignore, and lines that a regular
// expression matches. It works on strings and bytes alone, so it is tested on any system; the
// guest reads the files.
//
// # Globs
//
// All of Drydock's globs have one syntax, for slash-separated paths:
//
//   - any number of characters, but no slash
//     ?       one character, but no slash
//     [a-z]   one character of a class; [!a-z] and [^a-z] one that is not in it
//     {a,b}   a or b, which may hold slashes and braces
//     **      as a whole name: any number of names, also none
//     \x      the character x
//
// a/** matches a itself, too. Names are compared byte for byte: a byte that is no part of a
// character counts as one. testdata/globs.json has cases that other packages are tested
// with as well.
//
// Where a glob is a filter, such as Exclude of a transfer or Include of a search, one without
// a slash is for the last name of a path at any depth: see Filter.
//
// # Time
//
// Patterns and files may be hostile. Globs take time in proportion to the lengths of the
// pattern and the path multiplied, rules of .gitignore have a bound on their steps, and
// package regexp is linear. What can take long all the same is given a stop function, which
// it calls now and then; an error of that ends it.
package match
