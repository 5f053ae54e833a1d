(function () {
  "use strict";
  var root = document.documentElement;
  var boxes = { en: document.getElementById("show-en"), ko: document.getElementById("show-ko") };
  function show(language) {
    boxes[language].checked = true;
    root.lang = language;
  }
  function wanted() {
    var asked = /[?&#]lang=(en|ko)/.exec(location.search + location.hash);
    if (asked) return asked[1];
    try {
      var kept = localStorage.getItem("danggol-language");
      if (kept === "en" || kept === "ko") return kept;
    } catch (error) { /* a browser may refuse storage to a file */ }
    var spoken = (navigator.languages && navigator.languages.length ? navigator.languages : [navigator.language || ""]);
    for (var i = 0; i < spoken.length; i++) {
      var code = spoken[i].slice(0, 2).toLowerCase();
      if (code === "en" || code === "ko") return code;
    }
    return root.dataset.default;
  }
  Object.keys(boxes).forEach(function (language) {
    boxes[language].addEventListener("change", function () {
      show(language);
      try { localStorage.setItem("danggol-language", language); } catch (error) { /* as above */ }
    });
  });
  show(wanted());
})();
