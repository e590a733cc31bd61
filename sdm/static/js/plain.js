// Pages outside the frame: sign-in and paper.
import "./forms.js";
