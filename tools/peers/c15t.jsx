import { createElement as make } from "react";
import { createRoot } from "react-dom/client";
import { ConsentBanner, ConsentDialog, ConsentManagerProvider, useConsentManager } from "@c15t/react";

import "@c15t/react/styles.css";
const [functional, analytical, tracking, social] = PURPOSES.map(([, title, description]) => ({ title, description }));
const options = {
  mode: "offline",
  consentCategories: ["necessary", "measurement", "marketing", "experience"],
  i18n: { locale: "en", messages: { en: {
    cookieBanner: { title: "We use cookies and similar technologies", description: INTRO + " "
      + PURPOSES.map(([, title, text]) => `${title}: ${text}`).join(" ") },
    common: { acceptAll: "Accept all", rejectAll: "Reject all", customize: "Preferences", save: "Save my choices" },
    consentTypes: { necessary: functional, measurement: analytical, marketing: tracking, experience: social },
    consentManagerDialog: { title: "Cookie settings", description: INTRO },
  } } },
};

function Opener() {
  const manager = useConsentManager();
  window.preferences = () => manager.setActiveUI("dialog");
  return null;
}

createRoot(document.getElementById("root")).render(
  make(ConsentManagerProvider, { options }, make(Opener), make(ConsentBanner), make(ConsentDialog)));
