"""TFP's distributions with densities and draws that keep their digits: each replaces the class of its name."""
