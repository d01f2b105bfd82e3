// SPDX-License-Identifier: GPL-2.0

//! Which pixels of a row a triangle covers, and with what.

/// Units of a coordinate in a pixel.
const PIXEL: i64 = 256;

/// A corner, in units of 1/256 of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corner {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) pixel: u32,
}

/// An edge as a function of a place: positive on the inside, 0 on the edge itself.
#[derive(Clone, Copy)]
struct Edge {
    from: Corner,
    dx: i64,
    dy: i64,
    /// Whether places on the edge are inside.
    included: bool,
}

impl Edge {
    fn new(from: Corner, to: Corner) -> Self {
        let dx = i64::from(to.x) - i64::from(from.x);
        let dy = i64::from(to.y) - i64::from(from.y);
        Self {
            from,
            dx,
            dy,
            // The left edges and the top edge: two triangles with a common edge cover each of its
            // pixels once.
            included: dy < 0 || dy == 0 && dx > 0,
        }
    }

    fn at(&self, x: i64, y: i64) -> i64 {
        self.dx * (y - i64::from(self.from.y)) - self.dy * (x - i64::from(self.from.x))
    }

    fn covers(&self, value: i64) -> bool {
        value > 0 || value == 0 && self.included
    }
}

/// A triangle with an area.
pub(super) struct Raster {
    corners: [Corner; 3],
    /// The edge across from each corner.
    edges: [Edge; 3],
    area: i64,
}

impl Raster {
    /// None for corners on a line.
    pub(super) fn new([a, b, c]: [Corner; 3]) -> Option<Self> {
        let area = Edge::new(a, b).at(c.x.into(), c.y.into());
        // All the same way around.
        let corners = match area {
            0 => return None,
            1.. => [a, b, c],
            _ => [a, c, b],
        };
        let [a, b, c] = corners;
        Some(Self {
            corners,
            edges: [Edge::new(b, c), Edge::new(c, a), Edge::new(a, b)],
            area: area.abs(),
        })
    }

    /// The rows, from the first up to one behind the last, of a surface of some height that may
    /// have pixels.
    pub(super) fn rows(&self, height: u32) -> (u32, u32) {
        let ys = self.corners.map(|corner| i64::from(corner.y));
        extent(ys, height)
    }

    /// The pixels of row `y` in a surface of some width: the place of the first, and all.
    pub(super) fn row(&self, y: u32, width: u32) -> Option<(u32, Vec<u32>)> {
        let (first, end) = extent(self.corners.map(|corner| i64::from(corner.x)), width);
        let center = |at: u32| i64::from(at) * PIXEL + PIXEL / 2;
        let weights = |x| self.edges.map(|edge| edge.at(center(x), center(y)));
        let covered = |x: &u32| {
            let mut both = self.edges.iter().zip(weights(*x));
            both.all(|(edge, weight)| edge.covers(weight))
        };
        let left = (first..end).find(covered)?;
        let pixels = (left..end)
            .take_while(covered)
            .map(|x| self.mix(weights(x)))
            .collect();
        Some((left, pixels))
    }

    /// The pixels of the corners in proportion to weights, each byte rounded to the nearest.
    fn mix(&self, weights: [i64; 3]) -> u32 {
        [24, 16, 8, 0].into_iter().fold(0, |mixed, shift| {
            let byte: i64 = self
                .corners
                .iter()
                .zip(weights)
                .map(|(corner, weight)| i64::from(corner.pixel >> shift & 0xff) * weight)
                .sum();
            mixed | (((byte + self.area / 2) / self.area) as u32) << shift
        })
    }
}

/// The pixels of an axis, from the first up to one behind the last, with a place between the least
/// and the greatest of three.
fn extent(places: [i64; 3], end: u32) -> (u32, u32) {
    let [least, greatest] = places
        .iter()
        .fold([i64::MAX, i64::MIN], |[min, max], place| {
            [min.min(*place), max.max(*place)]
        });
    let clip = |place: i64| place.clamp(0, end.into()) as u32;
    let first = clip(least.div_euclid(PIXEL));
    (first, clip(greatest.div_euclid(PIXEL) + 1).max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner(x: i32, y: i32, pixel: u32) -> Corner {
        Corner { x, y, pixel }
    }

    /// How often each pixel of a square is covered by triangles.
    fn cover(triangles: &[[Corner; 3]], size: u32) -> Vec<u32> {
        let mut times = vec![0; (size * size) as usize];
        for corners in triangles {
            let raster = Raster::new(*corners).unwrap();
            let (first, end) = raster.rows(size);
            for y in first..end {
                if let Some((x, pixels)) = raster.row(y, size) {
                    for at in (x..).take(pixels.len()) {
                        times[(y * size + at) as usize] += 1;
                    }
                }
            }
        }
        times
    }

    #[test]
    fn a_half_of_a_square() {
        let (a, b, c) = (corner(0, 0, 0), corner(4 << 8, 0, 0), corner(0, 4 << 8, 0));
        let wanted = [1, 1, 1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        for corners in [[a, b, c], [b, c, a], [c, b, a], [a, c, b]] {
            assert_eq!(cover(&[corners], 4), wanted);
        }
    }

    #[test]
    fn neighbours_cover_each_pixel_once() {
        // A fan around points on and off the centers of pixels.
        for (x, y) in [(5, 7), (8 << 8, 8 << 8), (1152, 2176), (1151, 2177)] {
            let center = corner(x, y, 0);
            let far = 16 << 8;
            let around = [
                (0, 0),
                (far / 3, 0),
                (far, 0),
                // Through centers of pixels, if one is the point.
                (far, 2176),
                (far, far),
                (1152, far),
                (777, far),
                (0, far),
                (0, 2176),
            ];
            let around = around.map(|(x, y)| corner(x, y, 0));
            let next = around.iter().cycle().skip(1);
            let fan: Vec<[Corner; 3]> = around
                .iter()
                .zip(next)
                .map(|(one, other)| [*one, *other, center])
                .collect();
            assert_eq!(cover(&fan, 16), [1; 256], "{x} {y}");
        }
    }

    #[test]
    fn colours() {
        let raster = Raster::new([
            corner(0, 0, 0xff00_0000),
            corner(256 << 8, 0, 0xffff_0000),
            corner(0, 256 << 8, 0x00ff_00ff),
        ])
        .unwrap();
        let (x, pixels) = raster.row(0, 256).unwrap();
        assert_eq!((x, pixels.len()), (0, 255));
        assert_eq!(pixels[0], 0xff01_0000);
        assert_eq!(pixels[128], 0xff80_0000);
        let (_, pixels) = raster.row(127, 256).unwrap();
        assert_eq!(pixels[0], 0x8080_007f);
    }

    #[test]
    fn clipped_and_outside() {
        let far = 32768 << 8;
        let everything = [
            corner(-far, -far, 1),
            corner(far, -far, 1),
            corner(0, far, 1),
        ];
        assert_eq!(cover(&[everything], 8), [1; 64]);
        let above = [
            corner(0, -far, 1),
            corner(9 << 8, -far, 1),
            corner(0, -256, 1),
        ];
        assert_eq!(cover(&[above], 8), [0; 64]);
        assert!(Raster::new([corner(0, 0, 1), corner(256, 256, 1), corner(512, 512, 1)]).is_none());
    }
}
