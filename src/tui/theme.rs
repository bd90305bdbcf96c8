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

/// What the colours stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenGround {
    /// Light letters on dark.
    Dark,
    /// Dark letters on light.
    Light,
    /// Nobody says: colours that can be read on both.
    Unknown,
}

impl ScreenGround {
    /// What the terminal says in `COLORFGBG`, as rxvt, Konsole and others do: two or
    /// three of the 16 colours, the ground last.
    pub fn of_environment() -> Self {
        Self::of(&std::env::var("COLORFGBG").unwrap_or_default())
    }

    fn of(colorfgbg: &str) -> Self {
        let ground = colorfgbg.rsplit(';').next().map(str::parse::<u8>);
        match ground {
            Some(Ok(7 | 15)) => Self::Light,
            Some(Ok(0..=6 | 8)) => Self::Dark,
            _ => Self::Unknown,
        }
    }
}

/// Styles by meaning. The hues are those of Okabe and Ito (2008), which people
/// with any common colour vision tell apart: blue, orange, vermilion.
#[derive(Debug, Clone, Copy)]
pub struct ColorTheme {
    depth: ColorDepth,
    ground: ScreenGround,
}

impl ColorTheme {
    /// The theme for so many colours, on a ground that nobody knows.
    pub const fn new(depth: ColorDepth) -> Self {
        Self {
            depth,
            ground: ScreenGround::Unknown,
        }
    }

    /// The theme that the environment asks for.
    pub fn of_environment() -> Self {
        Self {
            depth: ColorDepth::of_environment(),
            ground: ScreenGround::of_environment(),
        }
    }

    /// One of the 256: on dark, on light, on either.
    fn colour(self, many: [u8; 3], sixteen: Color) -> Style {
        let [dark, light, either] = many;
        let many = match self.ground {
            ScreenGround::Dark => dark,
            ScreenGround::Light => light,
            ScreenGround::Unknown => either,
        };
        match self.depth {
            ColorDepth::None => Style::new(),
            ColorDepth::Sixteen => Style::new().fg(sixteen),
            ColorDepth::Many => Style::new().fg(Color::Indexed(many)),
        }
    }

    /// Good, kept, inserted.
    pub fn good(self) -> Style {
        self.colour([75, 25, 33], Color::Blue)
    }

    /// Bad, failed, deleted.
    pub fn bad(self) -> Style {
        self.colour([208, 160, 166], Color::Red)
    }

    /// What deserves a look: paused, target groups, the worst.
    pub fn notable(self) -> Style {
        // Yellow letters are lost on white.
        let sixteen = match self.ground {
            ScreenGround::Light => Color::Magenta,
            _ => Color::Yellow,
        };
        self.colour([220, 94, 136], sixteen)
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        match self.depth {
            ColorDepth::Many => self.colour([245, 241, 244], Color::Reset),
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
    fn ground_is_that_of_the_terminal() {
        for (colorfgbg, ground) in [
            ("15;0", ScreenGround::Dark),
            ("0;15", ScreenGround::Light),
            ("0;default;15", ScreenGround::Light),
            ("12;8", ScreenGround::Dark),
            ("0;7", ScreenGround::Light),
            ("15;default", ScreenGround::Unknown),
            ("", ScreenGround::Unknown),
        ] {
            assert_eq!(ScreenGround::of(colorfgbg), ground, "{colorfgbg:?}");
        }
    }

    /// The colours of xterm from 16 on: a cube of six steps, then greys.
    fn rgb(index: u8) -> [f64; 3] {
        let step = |n: u8| {
            if n == 0 {
                0.0
            } else {
                55.0 + 40.0 * f64::from(n)
            }
        };
        if index >= 232 {
            return [8.0 + 10.0 * f64::from(index - 232); 3];
        }
        let cube = index - 16;
        [cube / 36, cube / 6 % 6, cube % 6].map(step)
    }

    /// The contrast of two colours by WCAG 2.1, 1 to 21.
    fn contrast(a: u8, b: u8) -> f64 {
        let luminance = |index: u8| -> f64 {
            let linear = rgb(index).map(|channel| {
                let share = channel / 255.0;
                if share <= 0.04045 {
                    share / 12.92
                } else {
                    ((share + 0.055) / 1.055).powf(2.4)
                }
            });
            0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        };
        let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn colours_are_legible_on_their_ground() {
        let (black, white) = (16, 231);
        for (ground, stands_on) in [
            (ScreenGround::Dark, vec![black]),
            (ScreenGround::Light, vec![white]),
            (ScreenGround::Unknown, vec![black, white]),
        ] {
            let theme = ColorTheme {
                depth: ColorDepth::Many,
                ground,
            };
            for style in [theme.good(), theme.bad(), theme.notable(), theme.faint()] {
                let Some(Color::Indexed(ink)) = style.fg else {
                    panic!("{style:?}");
                };
                for &paper in &stands_on {
                    // What WCAG asks of figures and large text.
                    let contrast = contrast(ink, paper);
                    assert!(contrast >= 3.0, "{ink} on {paper}: {contrast:.2}");
                }
            }
        }
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
