// Queues what Matomo is to do once its script has come; gated like that one.
"use strict";

window._paq = window._paq || [];
_paq.push(["setTrackerUrl", "https://stride.matomo.cloud/matomo.php"], ["setSiteId", "1"], ["trackPageView"]);
