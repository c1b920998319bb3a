// Starts Google Analytics. Gated like its loader; what may be stored was said before, by the consent's own script.
"use strict";

gtag("js", new Date());
gtag("config", "G-STRIDE0000");
