//! Colours, and what stands in for them. Meaning is always carried by a sign, a
//! word or a figure as well: colours can be absent or look alike.

use ratatui::style::{Color, Modifier, Style};

/// How many colours there are to paint with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColorDepth {
    /// None: bold, dim, underlined and reversed alone.
    None,
    /// The terminal's own 16.
    Sixteen,
    /// The 256 of xterm.
    Many,
}

impl ColorDepth {
    /// What the environment says: `NO_COLOR` set to anything, else `TERM` and
    /// `COLORTERM`.
    pub fn of_environment() -> Self {
        let set = |name: &str| std::env::var(name).unwrap_or_default();
        Self::of(&set("NO_COLOR"), &set("TERM"), &set("COLORTERM"))
    }

    fn of(no_color: &str, term: &str, colorterm: &str) -> Self {
        if !no_color.is_empty() || term == "dumb" || term.ends_with("-m") || term == "vt100" {
            Self::None
        } else if !colorterm.is_empty() || term.contains("256color") || term.contains("direct") {
            Self::Many
        } else {
            Self::Sixteen
        }
    }
}

/// Styles by meaning. The hues are those of Okabe and Ito (2008), which people
/// with any common colour vision tell apart: blue, orange, vermilion.
#[derive(Debug, Clone, Copy)]
pub struct ColorTheme {
    depth: ColorDepth,
}

impl ColorTheme {
    /// The theme for so many colours.
    pub const fn new(depth: ColorDepth) -> Self {
        Self { depth }
    }

    fn colour(self, many: u8, sixteen: Color) -> Style {
        match self.depth {
            ColorDepth::None => Style::new(),
            ColorDepth::Sixteen => Style::new().fg(sixteen),
            ColorDepth::Many => Style::new().fg(Color::Indexed(many)),
        }
    }

    /// Good, kept, inserted.
    pub fn good(self) -> Style {
        self.colour(75, Color::Blue)
    }

    /// Bad, failed, deleted.
    pub fn bad(self) -> Style {
        self.colour(208, Color::Red)
    }

    /// What deserves a look: paused, target groups, the worst.
    pub fn notable(self) -> Style {
        self.colour(220, Color::Yellow)
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        match self.depth {
            ColorDepth::Many => Style::new().fg(Color::Indexed(245)),
            _ => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// Headings.
    pub fn heading(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row the cursor is on.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A text that was inserted.
    pub fn inserted(self) -> Style {
        self.good()
            .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// A text that was deleted.
    pub fn deleted(self) -> Style {
        self.bad().add_modifier(Modifier::CROSSED_OUT)
    }

    /// The ground of a cell of the heat matrix for a share in `0..=1`, from
    /// dark blue (0) over grey to yellow (1), after cividis (Nuñez et al. 2018).
    /// Only where there are 256 colours; the figure stands on it.
    pub fn heat(self, share: f64) -> Style {
        const GROUNDS: [u8; 7] = [17, 18, 60, 242, 143, 185, 227];
        if self.depth != ColorDepth::Many || !share.is_finite() {
            return Style::new();
        }
        let step = (share.clamp(0.0, 1.0) * (GROUNDS.len() - 1) as f64).round() as usize;
        let ink = if step < 4 { 231 } else { 16 };
        Style::new()
            .fg(Color::Indexed(ink))
            .bg(Color::Indexed(GROUNDS[step]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_decides_theme() {
        let check = |no_color, term, colorterm, depth| {
            assert_eq!(ColorDepth::of(no_color, term, colorterm), depth, "{term}");
        };
        check("", "xterm-256color", "", ColorDepth::Many);
        check("", "xterm", "truecolor", ColorDepth::Many);
        check("", "xterm", "", ColorDepth::Sixteen);
        check("1", "xterm-256color", "truecolor", ColorDepth::None);
        check("", "dumb", "", ColorDepth::None);
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        let theme = ColorTheme::new(ColorDepth::None);
        for style in [
            theme.good(),
            theme.bad(),
            theme.notable(),
            theme.faint(),
            theme.inserted(),
            theme.deleted(),
            theme.heat(0.5),
        ] {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }
}
