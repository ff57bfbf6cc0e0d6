/** Where the sun stands over a place, and the instant of an hour on a day by the clocks of a time zone. */

/** Degrees: azimuth from north over east, elevation above the horizon. */
export interface SunPosition {
  azimuth: number;
  elevation: number;
}

const RADIANS = Math.PI / 180;
const DAY_MS = 86_400_000;
const J2000_MS = Date.UTC(2000, 0, 1, 12);
/** The sun's centre at sunrise: refraction and the sun's radius lift its rim over the horizon. */
const RISE_ELEVATION = -0.833;

/**
 * Return where the sun stands at an instant, to about 0.02 degrees between 1950 and 2050; refraction is left out.
 *
 * Low-precision formulas of the Astronomical Almanac (section C, "Low precision formulas for the Sun's coordinates").
 */
export function sunPosition(instant: Date, lon: number, lat: number): SunPosition {
  const days = (instant.getTime() - J2000_MS) / DAY_MS;
  const meanLongitude = 280.46 + 0.9856474 * days;
  const anomaly = (357.528 + 0.9856003 * days) * RADIANS;
  const longitude = (meanLongitude + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * RADIANS;
  const obliquity = (23.439 - 0.0000004 * days) * RADIANS;
  const rightAscension = Math.atan2(Math.cos(obliquity) * Math.sin(longitude), Math.cos(longitude));
  const declination = Math.asin(Math.sin(obliquity) * Math.sin(longitude));
  const siderealHours = 18.697374558 + 24.06570982441908 * days;
  const hourAngle = siderealHours * 15 * RADIANS + lon * RADIANS - rightAscension;
  const phi = lat * RADIANS;
  const sine = Math.sin(phi) * Math.sin(declination) + Math.cos(phi) * Math.cos(declination) * Math.cos(hourAngle);
  const azimuth = Math.atan2(
    -Math.cos(declination) * Math.sin(hourAngle),
    Math.sin(declination) * Math.cos(phi) - Math.cos(declination) * Math.sin(phi) * Math.cos(hourAngle),
  );
  return { azimuth: (azimuth / RADIANS + 360) % 360, elevation: Math.asin(sine) / RADIANS };
}

/** The instant of an hour (13.5 is half past one) on a day ("2024-06-01") by the clocks of a time zone. */
export function instantOf(day: string, hour: number, timeZone: string): Date {
  const asUtc = Date.parse(`${day}T00:00:00Z`) + hour * 3_600_000;
  const offset = (instant: number) => wallClock(instant, timeZone) - instant;
  // The offset of a zone changes at most once within a day: the second look is at the right side of a change.
  return new Date(asUtc - offset(asUtc - offset(asUtc)));
}

/** Hours of sunrise and sunset on a day by the clocks of a time zone; undefined where the sun stays up or down. */
export function sunHours(day: string, lon: number, lat: number, timeZone: string): { rise?: number; set?: number } {
  const elevation = (hour: number) => sunPosition(instantOf(day, hour, timeZone), lon, lat).elevation - RISE_ELEVATION;
  const crossing = (rising: boolean) => {
    for (let hour = 0; hour < 24; hour += 0.25) {
      const [before, after] = [elevation(hour), elevation(hour + 0.25)];
      if (rising ? before < 0 && after >= 0 : before >= 0 && after < 0) return hour + (0.25 * before) / (before - after);
    }
    return undefined;
  };
  return { rise: crossing(true), set: crossing(false) };
}

function wallClock(instant: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat("en-GB", { timeZone, dateStyle: "short", timeStyle: "medium" });
  const [date, time] = format.format(new Date(instant)).split(", ");
  const [monthDay, month, year] = date!.split("/");
  return Date.parse(`${year}-${month}-${monthDay}T${time}Z`);
}
