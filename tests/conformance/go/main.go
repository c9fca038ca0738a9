// A judge of OpenVEX documents: the reference library reads each, holds every statement to the
// specification, and says what it takes to be the answer for each product.
//
//	openvex FILE...
package main

import (
	"fmt"
	"os"

	"github.com/openvex/go-vex/pkg/vex"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		document, err := vex.Open(path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
			continue
		}
		for _, statement := range document.Statements {
			if err := statement.Validate(); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %s: %v\n", path, statement.Vulnerability.Name, err)
				failed = true
			}
			for _, product := range statement.Products {
				answer := document.EffectiveStatement(product.ID, string(statement.Vulnerability.Name))
				if answer == nil {
					fmt.Fprintf(os.Stderr, "%s: nothing about %s\n", path, product.ID)
					failed = true
					continue
				}
				fmt.Printf("%s %s %s\n", statement.Vulnerability.Name, product.ID, answer.Status)
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}
