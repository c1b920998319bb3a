// The same content for every peer: four purposes and ten third parties of the example magazine.
window.INTRO = "With your permission, Hardlopen Media BV and 10 third parties (7 of them outside the European Economic Area) store and read information on your device. 7 third parties may build a profile of you. Your choice lasts 6 months. You can withdraw your consent at any time.";
window.PURPOSES = [
  ["functional", "Functional", "To remember your choice about cookies and what you set yourself, such as the size of the text.", []],
  ["analytical", "Analytical", "To count visits and see what is read, so that we can improve the sites and measure ads.", ["Google Analytics", "Matomo Cloud", "AB Tasty"]],
  ["tracking", "Tracking", "To build a profile of you, so that content and ads match your interests, and to credit partners for sales.", ["Google Ad Manager", "Criteo", "Awin", "Meta pixel"]],
  ["social", "Social", "To let you watch videos, share, like and comment.", ["YouTube", "Disqus", "AddThis"]],
];
